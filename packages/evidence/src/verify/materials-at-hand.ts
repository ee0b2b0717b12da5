import { bytesSource, indexBundle, type Member, memberTypes, writeBundle } from "../bundle/index.ts";
import { Materials } from "./materials.ts";

/** For tests: the materials of a bundle that has these members, all of them read. */
export async function materialsOf(members: readonly Member[]): Promise<Materials> {
  const file = writeBundle({ kind: "record", origin: "a", index: 0 }, members);
  const index = await indexBundle(bytesSource(file));
  const materials = new Materials(index);
  await materials.loadShared();
  for (const { type, place } of index.members) if (type !== memberTypes.planeEntry) await materials.load(place.origin);
  return materials;
}
