import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Signer, statementSignerFromPem } from "@tally/evidence";
import { type Terminal, usageError } from "./terminal/index.ts";

/** Opens a private key that lies in a PEM file. @throws CliError usage naming the file, without showing what is in it */
export async function openKeyFile(terminal: Terminal, path: string): Promise<Signer> {
  const pem = await readFile(resolve(terminal.cwd, path), "utf8");
  if (pem.includes("BEGIN PUBLIC KEY")) {
    throw usageError(
      `${path} is the public half of a key, and signing needs the private one`,
      "give NAME.pem instead of NAME.pub.pem",
    );
  }
  try {
    return statementSignerFromPem(pem);
  } catch (cause) {
    throw usageError(`${path} holds no private key that can sign`, "make one with `tally keygen`", cause);
  }
}
