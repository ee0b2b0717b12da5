import type { JsonObject } from "../content/i-json.ts";
import type { JsonField } from "../content/json-field.ts";
import type { Digest } from "../digest.ts";

/** A file of a dataset or a model, as Tally's own predicates name it. */
export interface NamedFile {
  /** Relative path with forward slashes. */
  readonly name: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

export function readNamedFile(field: JsonField): NamedFile {
  return Object.freeze({
    name: field.at("name").text(4096),
    digest: field.at("digest").digest(),
    size: field.at("size").uint(),
  });
}

export function writeNamedFile({ name, digest, size }: NamedFile): JsonObject {
  return { name, digest, size };
}
