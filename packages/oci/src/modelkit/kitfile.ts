import type { JsonValue } from "@tally/evidence";

/**
 * What a ModelKit says of itself: its Kitfile. As YAML it is what people write; as JSON, with the digests of the layers, it
 * is the kit's config. The fields are those of the reference implementation (KitOps, pkg/artifact/kitfile.go), which refuses
 * others: what else there is to say goes under `parameters`.
 */
export interface Kitfile {
  readonly manifestVersion: string;
  readonly package?: KitPackage;
  readonly model?: KitModel;
  readonly code?: readonly KitCode[];
  readonly datasets?: readonly KitDataset[];
  readonly docs?: readonly KitDocs[];
}

export interface KitPackage {
  readonly name?: string;
  readonly version?: string;
  readonly description?: string;
  readonly license?: string;
  readonly authors?: readonly string[];
}

/** Which layer holds a part. In the config only: `digest` as in the manifest, `diffId` of the tar before compression. */
export interface KitLayer {
  readonly digest?: string;
  readonly diffId?: string;
}

export interface KitModel extends KitLayer {
  readonly name?: string;
  /** A file or folder, relative to the Kitfile. */
  readonly path?: string;
  readonly license?: string;
  readonly framework?: string;
  readonly format?: string;
  readonly version?: string;
  readonly description?: string;
  readonly parts?: readonly KitModelPart[];
  readonly parameters?: JsonValue;
}

export interface KitModelPart extends KitLayer {
  readonly name?: string;
  readonly path?: string;
  readonly license?: string;
  readonly type?: string;
}

export interface KitCode extends KitLayer {
  readonly path?: string;
  readonly description?: string;
  readonly license?: string;
}

export interface KitDataset extends KitLayer {
  readonly name?: string;
  readonly path?: string;
  readonly description?: string;
  readonly license?: string;
  /** Free-form: where the rows come from, device, time range, preprocessing. */
  readonly parameters?: JsonValue;
}

export interface KitDocs extends KitLayer {
  readonly path?: string;
  readonly description?: string;
}
