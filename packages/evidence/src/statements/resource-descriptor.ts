import type { JsonObject } from "../content/i-json.ts";
import { given, type JsonField } from "../content/json-field.ts";
import type { Digest } from "../digest.ts";

/** What in-toto's ResourceDescriptor says of one artifact. Other fields of it are ignored. */
export interface ResourceDescriptor {
  readonly name?: string;
  readonly uri?: string;
  /** Absent where the descriptor has no SHA-256, as for a Git commit. */
  readonly digest?: Digest;
  readonly annotations?: JsonObject;
}

export function readResourceDescriptor(field: JsonField): ResourceDescriptor {
  const digest = field.at("digest").optional((f) => f.at("sha256").optional((hex) => hex.sha256Hex()));
  return Object.freeze({
    ...field.maybe("name", (f) => f.text()),
    ...field.maybe("uri", (f) => f.text()),
    ...given("digest", digest),
    ...field.maybe("annotations", (f) => f.object()),
  });
}

export function writeResourceDescriptor(descriptor: ResourceDescriptor): JsonObject {
  const { name, uri, digest, annotations } = descriptor;
  return {
    ...given("name", name),
    ...given("uri", uri),
    ...(digest === undefined ? {} : { digest: { sha256: digest.slice("sha256:".length) } }),
    ...given("annotations", annotations),
  } as JsonObject;
}
