import type { ArtifactSource } from "../artifact/transfer.ts";
import { OciError } from "../error.ts";
import { type ContentDigest, isContentDigest } from "../storage/content-digest.ts";
import { baseOf, type KitBase } from "./base-name.ts";
import type { LayerKind } from "./layer-types.ts";
import { type ModelKit, type ModelLayer, readModelKit } from "./read.ts";

/** A base that was found, and the layers of its model. */
export interface ResolvedBase extends KitBase {
  readonly kit: ModelKit;
  readonly source: ArtifactSource;
  readonly layers: readonly ModelLayer[];
}

/** The reference implementation's limit (KitOps, MaxModelRefChain). */
const longestChain = 10;
/** Layers of a base that a kit has for its own. */
export const modelKinds: readonly LayerKind[] = ["model", "modelpart", "config"];

/**
 * Finds the bases of a kit, the nearest first, each tag resolved once.
 *
 * @param source where the kit is, and where its bases are looked for
 * @param nearest digest of the first one, which a tag is not asked for then
 * @throws OciError `modelkit-invalid` for a chain that comes back to itself or is too long, or a base that cannot be looked
 * for; what the source throws
 */
export async function resolveBases(
  kit: ModelKit,
  source: ArtifactSource,
  nearest?: ContentDigest,
): Promise<readonly ResolvedBase[]> {
  const seen = new Map<string, string>([[kit.resolved.digest, kit.resolved.digest]]);
  const bases: ResolvedBase[] = [];
  for (let base = kit.kitfile && baseOf(kit.kitfile); base !== undefined; ) {
    if (bases.length >= longestChain) {
      throw invalid(`its bases are more than ${longestChain}, the last is ${base.text}`);
    }
    const place = source.base?.(base);
    if (place === undefined) {
      throw invalid(`its base ${base.text} is not looked for there`, baseHint);
    }
    const known = bases.length === 0 && !isContentDigest(base.reference) ? nearest : undefined;
    const found = await readModelKit(place, known ?? base.reference);
    const { digest } = found.resolved;
    if (seen.has(digest)) {
      throw invalid(
        `its base ${base.text} leads back to ${seen.get(digest)}: ${[...seen.values(), base.text].join(" → ")}`,
      );
    }
    seen.set(digest, base.text);
    bases.push({
      ...base,
      kit: found,
      source: place,
      layers: found.layers.filter(({ kind }) => modelKinds.includes(kind)),
    });
    base = found.kitfile && baseOf(found.kitfile);
  }
  return bases;
}

const baseHint =
  "bases are looked for in the kit's own registry only: copy it there, and name it as REPOSITORY:TAG or with that registry's host";

function invalid(why: string, hint?: string): OciError {
  return new OciError("modelkit-invalid", `the ModelKit is not unpacked: ${why}`, hint === undefined ? {} : { hint });
}
