import type { JsonObject } from "@tally/evidence";
import type { Descriptor } from "../../artifact/descriptor.ts";

/** What a Notary Project signature says of its artifact. */
export function targetOf({ mediaType, digest, size }: Descriptor): JsonObject {
  return { mediaType, digest, size };
}
