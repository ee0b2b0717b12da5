import type { Signer } from "@tally/evidence";
import type { Command } from "commander";
import type { Terminal } from "../terminal/index.ts";
import { openKeyFile } from "./key-file.ts";
import { openTokenSigner } from "./pkcs11/token-signer.ts";

/** A person's private key, to sign with; disposing of it closes what holds it. */
export interface SigningKey extends AsyncDisposable {
  readonly signer: Signer;
  /** Further keys of the same person, whose signatures stand in the same envelope. */
  readonly others: readonly Signer[];
}

/** `--key`, which each command has in its own words, and what `withPassphrase` adds. */
export interface KeyFlags {
  readonly key: string;
  readonly passphraseFile?: string;
}

/** Adds `--passphrase-file`, for a key that a passphrase protects. */
export function withPassphrase(command: Command): Command {
  return command.option(
    "--passphrase-file <file>",
    "whose first line is the key's passphrase; else TALLY_KEY_PASSPHRASE, else you are asked",
  );
}

/**
 * Opens `--key`: one, or several separated by commas, of which the first is the one that model signatures use.
 *
 * @throws CliError usage naming the key, without showing what is in it
 */
export async function readSigningKey(terminal: Terminal, { key: keys, passphraseFile }: KeyFlags): Promise<SigningKey> {
  const open: Signer[] = [];
  const close = async () => {
    for (const signer of open.splice(0)) await signer.close?.();
  };
  try {
    for (const key of keys.split(",")) open.push(await openSigner(terminal, key, passphraseFile));
  } catch (error) {
    await close();
    throw error;
  }
  const [signer, ...others] = open;
  return { signer: signer!, others, [Symbol.asyncDispose]: close };
}

/** What stands before the colon says what holds the key; a path holds it itself. */
function openSigner(terminal: Terminal, key: string, passphraseFile: string | undefined): Promise<Signer> {
  if (key.startsWith("pkcs11:")) return openTokenSigner(terminal, key);
  return openKeyFile(terminal, key, passphraseFile);
}
