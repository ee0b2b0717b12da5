import type { Signer } from "@tally/evidence";
import { openKeyFile } from "./key-file.ts";
import type { Terminal } from "./terminal/index.ts";

/** A person's private key, to sign with; disposing of it closes what holds it. */
export interface SigningKey extends AsyncDisposable {
  readonly signer: Signer;
  /** Further keys of the same person, whose signatures stand in the same envelope. */
  readonly others: readonly Signer[];
}

/**
 * Opens `--key`: one, or several separated by commas, of which the first is the one that model signatures use.
 *
 * @throws CliError usage naming the key, without showing what is in it
 */
export async function readSigningKey(terminal: Terminal, keys: string): Promise<SigningKey> {
  const open: Signer[] = [];
  const close = async () => {
    for (const signer of open.splice(0)) await signer.close?.();
  };
  try {
    for (const key of keys.split(",")) open.push(await openSigner(terminal, key));
  } catch (error) {
    await close();
    throw error;
  }
  const [signer, ...others] = open;
  return { signer: signer!, others, [Symbol.asyncDispose]: close };
}

/** What stands before the colon says what holds the key; a path holds it itself. */
function openSigner(terminal: Terminal, key: string): Promise<Signer> {
  return openKeyFile(terminal, key);
}
