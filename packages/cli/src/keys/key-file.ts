import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Signer, statementSignerFromPem } from "@tally/evidence";
import { type CliError, type Terminal, usageError } from "../terminal/index.ts";
import { decryptCosignKey, isCosignKey } from "./cosign-key.ts";
import { decryptPrivateKey } from "./encrypted-key.ts";
import { passphraseFor } from "./passphrase.ts";
import { requirePrivate } from "./private-file.ts";

/**
 * Opens a private key that lies in a PEM file: under a passphrase, or readable by its owner alone.
 *
 * @throws CliError usage naming the file, without showing what is in it
 */
export function openKeyFile(terminal: Terminal, path: string, passphraseFile: string | undefined): Promise<Signer> {
  return openPrivatePem(terminal, path, passphraseFile, statementSignerFromPem);
}

/** Has `open` make something of a private key in PEM, decrypted. What it throws becomes a usage error that names the file. */
export async function openPrivatePem<T>(
  terminal: Terminal,
  path: string,
  passphraseFile: string | undefined,
  open: (pem: string) => T,
): Promise<T> {
  const file = resolve(terminal.cwd, path);
  const pem = await readFile(file, "utf8");
  const foreign = foreignKey(path, pem);
  if (foreign !== undefined) throw foreign;
  try {
    if (pem.includes("-----BEGIN ENCRYPTED PRIVATE KEY-----")) {
      const plain = decryptPrivateKey(pem, await passphraseFor(terminal, path, passphraseFile));
      if (plain === undefined) throw usageError(`that is not the passphrase of ${path}`);
      return open(plain);
    }
    if (isCosignKey(pem)) {
      const plain = await decryptCosignKey(pem, await passphraseFor(terminal, path, passphraseFile));
      if (plain === undefined) throw usageError(`that is not the passphrase of ${path}`);
      return open(plain);
    }
    const opened = open(pem);
    await requirePrivate(file, "a private key that no passphrase protects");
    return opened;
  } catch (cause) {
    if ((cause as Error).name === "CliError" || (cause as Error).name === "OciError") throw cause;
    throw usageError(`${path} holds no private key that can sign`, "make one with `tally keygen`", cause);
  }
}

/** What other tools write into files that are given for a key by mistake. */
function foreignKey(path: string, pem: string): CliError | undefined {
  if (pem.includes("BEGIN PUBLIC KEY")) {
    return usageError(
      `${path} is the public half of a key, and signing needs the private one`,
      "give NAME.pem instead of NAME.pub.pem",
    );
  }
  if (pem.includes("BEGIN OPENSSH PRIVATE KEY")) {
    return usageError(`${path} is a key of ssh's`, "make one with `tally keygen`: one key is for one purpose");
  }
  if (pem.includes("Proc-Type: 4,ENCRYPTED")) {
    return usageError(
      `${path} is encrypted in the old way, whose key derivation is one round of MD5`,
      `openssl pkcs8 -topk8 -scrypt -in ${path} -out NEW.pem`,
    );
  }
  return undefined;
}
