import { readFile } from "node:fs/promises";
import type { TrustedRoot } from "@sigstore/protobuf-specs";
import { type JsonObject, parseJson } from "@tally/evidence";
import { OciError } from "../../error.ts";
import { certifier } from "./certified.ts";

/**
 * Reads a sigstore trusted root (`application/vnd.dev.sigstore.trustedroot+json`), or the client trust configuration that holds
 * one: the authorities and logs that are believed. Throws `signature-invalid` naming the file.
 */
export async function readTrustedRoot(path: string): Promise<TrustedRoot> {
  const text = await readFile(path, "utf8");
  const { readRoot } = await certifier();
  try {
    return readRoot(parseJson(text) as JsonObject);
  } catch (cause) {
    throw new OciError("signature-invalid", `${path} is no sigstore trusted root: ${(cause as Error).message}`, {
      cause,
      hint: "give the trusted_root.json of the sigstore that signed",
    });
  }
}
