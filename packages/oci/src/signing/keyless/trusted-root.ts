import { readFile } from "node:fs/promises";
import type { TrustedRoot } from "@sigstore/protobuf-specs";
import { OciError } from "../../error.ts";

/**
 * Reads a sigstore trusted root (`application/vnd.dev.sigstore.trustedroot+json`), or the client trust configuration that holds
 * one: the authorities and logs that are believed. Throws `signature-invalid` naming the file.
 */
export async function readTrustedRoot(path: string): Promise<TrustedRoot> {
  const text = await readFile(path, "utf8");
  const { TrustedRoot } = await import("@sigstore/protobuf-specs");
  try {
    const json = JSON.parse(text) as { trustedRoot?: unknown };
    const root = TrustedRoot.fromJSON(json.trustedRoot ?? json);
    if (root.certificateAuthorities.length === 0) throw new Error("it names no certificate authority");
    return root;
  } catch (cause) {
    throw new OciError("signature-invalid", `${path} is no sigstore trusted root: ${(cause as Error).message}`, {
      cause,
      hint: "give the trusted_root.json of the sigstore that signed",
    });
  }
}
