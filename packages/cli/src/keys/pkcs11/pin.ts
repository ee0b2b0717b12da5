import { fileURLToPath } from "node:url";
import { say, type Terminal, usageError } from "../../terminal/index.ts";
import { readSecretFile } from "../passphrase.ts";
import type { Pkcs11Uri } from "./uri.ts";

export const pinVariable = "TALLY_PKCS11_PIN";

/** The PIN: of the URI, else of the environment, else of the person. @throws CliError usage where nobody can be asked */
export async function pinFor(uri: Pkcs11Uri, token: string, terminal: Terminal): Promise<string> {
  if (uri.pinValue !== undefined) {
    say(terminal, "warning: a PIN in an argument can be seen by other users of this machine; pin-source names a file");
    return uri.pinValue;
  }
  if (uri.pinSource !== undefined) return readSecretFile(terminal, fileOf(uri.pinSource));
  const given = terminal.env[pinVariable];
  if (given !== undefined && given !== "") return given;
  if (terminal.ask !== undefined) return terminal.ask(`PIN of token ${token}: `);
  throw usageError(
    `token ${token} wants a PIN, and nobody is at a terminal to be asked for it`,
    `add pin-source=file:/path to the URI, or set ${pinVariable}`,
  );
}

/** RFC 7512, 2.4: a `file:` URI, or a path. Programs (`|…`) are not run. */
function fileOf(source: string): string {
  if (source.startsWith("|")) throw usageError("pin-source names a program, and none is run", "name a file");
  if (!source.startsWith("file:")) return source;
  try {
    return source.startsWith("file:/") ? fileURLToPath(source) : source.slice("file:".length);
  } catch (cause) {
    throw usageError(`pin-source is no file: URI of this machine: ${source}`, "write file:/path", cause);
  }
}
