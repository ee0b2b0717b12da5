import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type PublicIdentity, type StatementSigner, statementSignerFromPem } from "@tally/evidence";
import { type Terminal, usageError } from "./terminal/index.ts";

/** A person's private key, to sign with. */
export interface SigningKey {
  readonly pem: string;
  readonly signer: StatementSigner & { readonly identity: PublicIdentity };
  /** Further keys of the same person, whose signatures stand in the same envelope. */
  readonly others: readonly StatementSigner[];
}

/** Reads `--key`: one file, or several separated by commas, of which the first is the one that model signatures use. @throws CliError usage naming the file, without showing what is in it */
export async function readSigningKey(terminal: Terminal, paths: string): Promise<SigningKey> {
  const [first, ...more] = paths.split(",");
  const key = await readOne(terminal, first!);
  const others = await Promise.all(more.map(async (path) => (await readOne(terminal, path)).signer));
  return { ...key, others };
}

async function readOne(terminal: Terminal, path: string): Promise<Omit<SigningKey, "others">> {
  const pem = await readFile(resolve(terminal.cwd, path), "utf8");
  if (pem.includes("BEGIN PUBLIC KEY")) {
    throw usageError(
      `${path} is the public half of a key, and signing needs the private one`,
      "give NAME.pem instead of NAME.pub.pem",
    );
  }
  try {
    return { pem, signer: statementSignerFromPem(pem) };
  } catch (cause) {
    throw usageError(`${path} holds no private key that can sign`, "make one with `tally keygen`", cause);
  }
}
