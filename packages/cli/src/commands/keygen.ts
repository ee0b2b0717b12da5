import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { generatePrivateKeyPem, keyIdOf, publicKeyOfPem, publicKeyPem } from "@tally/evidence";
import { InvalidArgumentError } from "commander";
import { encryptPrivateKey, newPassphrase } from "../keys/index.ts";
import type { Register } from "../register.ts";
import { CliError, exitCodes, print, say } from "../terminal/index.ts";

const types = ["p-256", "p-384", "ed25519", "ml-dsa-44"] as const;
type Type = (typeof types)[number];

interface Options {
  readonly type: Type;
  readonly passphraseFile?: string;
  /** False with `--no-passphrase`. */
  readonly passphrase: boolean;
  readonly json?: boolean;
}

/** `tally keygen NAME`: a person's key pair, for statements and model signatures. */
export const keygen: Register = (program, { terminal }) => {
  program
    .command("keygen")
    .summary("make a key pair for someone who signs")
    .description(
      "make a key pair for someone who signs: NAME.pem (private, 0600, encrypted where there is a passphrase) and NAME.pub.pem",
    )
    .argument("<name>", "path and name of the files, such as keys/publisher")
    .option("--type <type>", `${types.join(", ")}; model signatures need p-256 or p-384`, parseType, "p-256")
    .option(
      "--passphrase-file <file>",
      "encrypt the private key with the first line of this file; else TALLY_KEY_PASSPHRASE, else you are asked",
    )
    .option("--no-passphrase", "do not encrypt it, and do not ask")
    .option("--json", "print JSON")
    .action(async (name: string, options: Options) => {
      const path = resolve(terminal.cwd, name);
      const passphrase = options.passphrase
        ? await newPassphrase(terminal, `${name}.pem`, options.passphraseFile)
        : undefined;
      const plain = generatePrivateKeyPem(options.type);
      const pem = passphrase === undefined ? plain : encryptPrivateKey(plain, passphrase);
      const { spki } = publicKeyOfPem(plain);
      await mkdir(dirname(path), { recursive: true });
      await writeNew(`${path}.pem`, pem, 0o600);
      await writeNew(`${path}.pub.pem`, publicKeyPem(spki), 0o644).catch(async (error) => {
        // Half a pair is in the way of the next attempt.
        await rm(`${path}.pem`, { force: true });
        throw error;
      });
      const encrypted = passphrase !== undefined;
      const files = { private: `${path}.pem`, public: `${path}.pub.pem` };
      const made = { type: options.type, keyId: keyIdOf(spki), encrypted, ...files };
      print(terminal, options.json, made, () => [made.keyId]);
      const how = encrypted ? "encrypted with the passphrase" : "not encrypted: keep it to yourself";
      say(terminal, `wrote ${files.private} (${how}) and ${files.public}`);
    });
};

function parseType(text: string): Type {
  const type = types.find((known) => known === text);
  if (type === undefined) throw new InvalidArgumentError(`It is one of ${types.join(", ")}.`);
  return type;
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  try {
    await writeFile(path, text, { flag: "wx", mode });
    await chmod(path, mode);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") {
      await rm(path, { force: true });
      throw cause;
    }
    throw new CliError(exitCodes.usage, `${path} is already there`, {
      cause,
      hint: "a key is never overwritten: choose another name, or move the old one away",
    });
  }
}
