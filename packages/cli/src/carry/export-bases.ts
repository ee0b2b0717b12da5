import type { Digest, InventoryGap } from "@tally/evidence";
import {
  baseOf,
  type CarriedName,
  type CarrierWriter,
  copyArtifact,
  OciError,
  type RegistryClient,
  readModelKit,
} from "@tally/oci";
import type { CarriedNames } from "./carried-names.ts";
import { exportAttached } from "./export-attached.ts";

/** A kit that another names as its base. */
export interface ExportedBase {
  /** As the Kitfile has it. */
  readonly name: string;
  /** Null where it could not be had. */
  readonly manifest: Digest | null;
}

/** The reference implementation's limit (KitOps, MaxModelRefChain), beyond which nothing unpacks such a kit. */
const longestChain = 10;

/**
 * Follows the bases of a model, the nearest first, and puts each into the layout with what is attached to it. One that cannot be
 * had is told of and ends the chain: the model is exported all the same.
 */
export async function exportBases(
  writer: CarrierWriter,
  source: RegistryClient,
  model: Digest,
  names: CarriedNames,
): Promise<{ readonly bases: readonly ExportedBase[]; readonly missing: readonly InventoryGap[] }> {
  const bases: ExportedBase[] = [];
  const seen = new Set<string>([model]);
  let [place, reference]: [RegistryClient, string] = [source, model];
  while (bases.length < longestChain) {
    const base = await namedBase(place, reference);
    if (base === undefined) return { bases, missing: [] };
    const gone = (reason: string) => ({
      bases: [...bases, { name: base.text, manifest: null }],
      missing: [{ what: "base" as const, of: model, name: base.text, reason }],
    });
    const at = place.base(base);
    if (at === undefined) return gone("it is in another registry");
    try {
      const { digest } = await at.resolve(base.reference);
      // Who wants to unpack it is told of the circle then.
      if (seen.has(digest)) return { bases, missing: [] };
      seen.add(digest);
      names.add(base.repository, "base", (await copyArtifact(at, writer, digest)).manifests);
      writer.name(digest, nameOf(base));
      await exportAttached(writer, at, digest, base.repository, names);
      bases.push({ name: base.text, manifest: digest });
      [place, reference] = [at, digest];
    } catch (error) {
      if (error instanceof OciError && error.code === "not-found") return gone("it is not in the registry");
      throw error;
    }
  }
  return { bases, missing: [] };
}

/** As the index has it: a digest is no tag. */
export function nameOf({ repository, reference }: { repository: string; reference: string }): CarriedName {
  return reference.includes(":") ? { repository } : { repository, tag: reference };
}

/** What is no ModelKit names none. */
async function namedBase(place: RegistryClient, reference: string) {
  try {
    const { kitfile } = await readModelKit(place, reference);
    return kitfile && baseOf(kitfile);
  } catch (error) {
    if (error instanceof OciError && error.code === "modelkit-invalid") return undefined;
    throw error;
  }
}
