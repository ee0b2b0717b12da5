import { checkpointFound, type ProtocolResponse, refusal, tileFound } from "../witness/response.ts";
import type { MirrorFolders } from "./mirror-folders.ts";

const NOTHING = refusal(404, "nothing is here");

/** `<hash>/checkpoint` as mirrored, or a tile or entry bundle of that tree (C2SP tlog-tiles). */
export async function readMirrored(folders: MirrorFolders, path: string): Promise<ProtocolResponse> {
  const [hash, resource] = split(path);
  const folder = folders.find(hash);
  const mirrored = folder?.mirrored;
  if (folder === undefined || mirrored === undefined) return NOTHING;
  if (resource === "checkpoint") return checkpointFound(mirrored.note + mirrored.cosignatures);
  const tile = await folder.tile(resource, mirrored.checkpoint.size);
  return tile === undefined ? NOTHING : tileFound(tile);
}

/** `<hash>/checkpoint` as the witness cosigned it (C2SP tlog-witness). */
export async function readPending(folders: MirrorFolders, path: string): Promise<ProtocolResponse> {
  const [hash, resource] = split(path);
  const pending = folders.find(hash)?.pending;
  if (resource !== "checkpoint" || pending === undefined) return NOTHING;
  return checkpointFound(pending.note + pending.cosignatures);
}

function split(path: string): [hash: string, resource: string] {
  const slash = path.indexOf("/");
  return slash < 0 ? [path, ""] : [path.slice(0, slash), path.slice(slash + 1)];
}
