import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { generatePrivateKeyPem, keyIdOf, publicKeyOfPem, publicKeyPem } from "@tally/evidence";
import { InvalidArgumentError } from "commander";
import type { Register } from "../register.ts";
import { CliError, exitCodes, print, say } from "../terminal/index.ts";

const types = ["p-256", "p-384", "ed25519", "ml-dsa-44"] as const;
type Type = (typeof types)[number];

/** `tally keygen NAME`: a person's key pair, for statements and model signatures. */
export const keygen: Register = (program, { terminal }) => {
  program
    .command("keygen")
    .summary("make a key pair for someone who signs")
    .description("make a key pair for someone who signs: NAME.pem (private, 0600) and NAME.pub.pem")
    .argument("<name>", "path and name of the files, such as keys/publisher")
    .option("--type <type>", `${types.join(", ")}; model signatures need p-256 or p-384`, parseType, "p-256")
    .option("--json", "print JSON")
    .action(async (name: string, options: { type: Type; json?: boolean }) => {
      const path = resolve(terminal.cwd, name);
      const pem = generatePrivateKeyPem(options.type);
      const { spki } = publicKeyOfPem(pem);
      await mkdir(dirname(path), { recursive: true });
      await writeNew(`${path}.pem`, pem, 0o600);
      await writeNew(`${path}.pub.pem`, publicKeyPem(spki), 0o644);
      const made = { type: options.type, keyId: keyIdOf(spki), private: `${path}.pem`, public: `${path}.pub.pem` };
      print(terminal, options.json, made, () => [made.keyId]);
      say(terminal, `wrote ${made.private} (keep it to yourself) and ${made.public}`);
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
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    throw new CliError(exitCodes.usage, `${path} is already there`, {
      cause,
      hint: "a key is never overwritten: choose another name, or move the old one away",
    });
  }
}
