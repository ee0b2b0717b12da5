import type { ArtifactSource } from "../artifact/transfer.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import { modelKinds, type ResolvedBase, resolveBases } from "./bases.ts";
import type { LayerKind } from "./layer-types.ts";
import type { ModelKit, ModelLayer } from "./read.ts";

/** A layer that is to be unpacked, and where it lies. */
export interface WantedLayer {
  readonly layer: ModelLayer;
  readonly from: ArtifactSource;
}

export interface Wanted {
  readonly source: ArtifactSource;
  /** Where a kit's bases are looked for; in `source` by default. */
  readonly bases?: ArtifactSource;
  /** Digest of the nearest base, where that is known for sure: a tag in the Kitfile is then not asked for. */
  readonly base?: ContentDigest;
  /** All that hold files if not given. */
  readonly kinds?: readonly LayerKind[];
}

/** The bases of a kit, none where nothing of a model is wanted. Throws what `resolveBases` throws. */
export async function basesOf(kit: ModelKit, { source, bases, base, kinds }: Wanted): Promise<readonly ResolvedBase[]> {
  if (kinds?.every((kind) => !modelKinds.includes(kind))) return [];
  return resolveBases(kit, bases ?? source, base);
}

/** The layers that hold the files of a kit, those of its bases first. */
export function wantedLayers(
  kit: ModelKit,
  bases: readonly ResolvedBase[],
  { source, kinds }: Wanted,
): readonly WantedLayer[] {
  return [
    ...bases.toReversed().flatMap((base) => base.layers.map((layer) => ({ layer, from: base.source }))),
    ...kit.layers.map((layer) => ({ layer, from: source })),
  ].filter(({ layer: { kind } }) => (kinds === undefined ? kind !== "other" : kinds.includes(kind)));
}
