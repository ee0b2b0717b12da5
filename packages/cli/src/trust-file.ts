import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { EvidenceError, parseTrust, type Trust, type VerifyOptions } from "@tally/evidence";
import { keylessVerifier } from "@tally/oci";
import { type Flags, required, settings, type Terminal, usageError } from "./terminal/index.ts";

/** The trust file of `--trust`, TALLY_TRUST or config.json. @throws CliError usage where none is set, or it is none */
export async function readTrustFile(terminal: Terminal, flags: Flags): Promise<Trust> {
  const { trust } = await settings(terminal, flags);
  const path = resolve(terminal.cwd, required(trust));
  const bytes = await readFile(path);
  try {
    return parseTrust(bytes);
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    const hint =
      cause.hint ?? "it comes from the plane's operator, by a way that you rely on: `tally trust show` prints one";
    throw usageError(`${path} is no trust file: ${cause.message}`, hint, cause);
  }
}

/** What evidence is verified with: the trust file, and sigstore's client where it knows keyless identities. */
export async function trusting(trust: Trust): Promise<Pick<VerifyOptions, "trust" | "keyless">> {
  return { trust, ...(trust.keyless.length > 0 && { keyless: await keylessVerifier() }) };
}
