import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseTrust, type Trust, type VerifyOptions } from "@tally/evidence";
import { keylessVerifier } from "@tally/oci";
import { type Flags, required, settings, type Terminal } from "./terminal/index.ts";

/** The trust file of `--trust`, TALLY_TRUST or config.json. @throws CliError usage where none is set */
export async function readTrustFile(terminal: Terminal, flags: Flags): Promise<Trust> {
  const { trust } = await settings(terminal, flags);
  return parseTrust(await readFile(resolve(terminal.cwd, required(trust))));
}

/** What evidence is verified with: the trust file, and sigstore's client where it knows keyless identities. */
export async function trusting(trust: Trust): Promise<Pick<VerifyOptions, "trust" | "keyless">> {
  return { trust, ...(trust.keyless.length > 0 && { keyless: await keylessVerifier() }) };
}
