import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Terminal, usageError } from "../terminal/index.ts";
import { requirePrivate } from "./private-file.ts";

/** Bytes of a passphrase, at most. */
const longest = 1024;

/** Where a secret comes from when nobody can be asked. */
export interface SecretSources {
  /** `--passphrase-file`. */
  readonly file?: string | undefined;
  /** Name of the environment variable. */
  readonly variable: string;
}

export const passphraseVariable = "TALLY_KEY_PASSPHRASE";

/** The secret of the file, else of the environment; undefined where neither is given. @throws CliError usage */
export async function givenSecret(terminal: Terminal, { file, variable }: SecretSources): Promise<string | undefined> {
  if (file !== undefined) return readSecretFile(terminal, file);
  const value = terminal.env[variable];
  return value === undefined || value === "" ? undefined : value;
}

/** The passphrase of a key that is there. @throws CliError usage where none is given and nobody can be asked */
export async function passphraseFor(terminal: Terminal, path: string, file: string | undefined): Promise<string> {
  const given = await givenSecret(terminal, { file, variable: passphraseVariable });
  if (given !== undefined) return given;
  if (terminal.ask !== undefined) return terminal.ask(`passphrase of ${path}: `);
  throw usageError(
    `${path} is encrypted, and nobody is at a terminal to be asked for its passphrase`,
    `give --passphrase-file FILE, or set ${passphraseVariable}`,
  );
}

/** The passphrase of a new key, asked for twice; undefined where the person wants none. @throws CliError usage */
export async function newPassphrase(terminal: Terminal, path: string, file: string | undefined) {
  const given = await givenSecret(terminal, { file, variable: passphraseVariable });
  if (given !== undefined) return given;
  if (terminal.ask === undefined) return undefined;
  const first = await terminal.ask(`new passphrase for ${path} (empty for none): `);
  if (first === "") return undefined;
  if ((await terminal.ask("the same again: ")) === first) return first;
  throw usageError("the two passphrases differ", "nothing was written: run the command again");
}

/** The first line of a file that only its owner may read; any program's output too (`/dev/fd/63`). */
export async function readSecretFile(terminal: Terminal, file: string): Promise<string> {
  const path = resolve(terminal.cwd, file);
  await requirePrivate(path, "a passphrase");
  const secret = (await readFile(path, "utf8")).split(/\r?\n/, 1)[0]!;
  if (secret === "") throw usageError(`${file} is empty`, "the passphrase stands in its first line");
  if (Buffer.byteLength(secret) > longest) {
    throw usageError(
      `the first line of ${file} has more than ${longest} bytes`,
      "name the file that holds the passphrase",
    );
  }
  return secret;
}
