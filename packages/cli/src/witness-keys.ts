import { chmod, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { checkKeyName, generatePrivateKeyPem, type NoteSigner, noteSignerFromPem, utf8 } from "@tally/evidence";
import { nodeFiles, writeDurably } from "@tally/ledger";
import { usageError } from "./terminal/index.ts";

/** Ed25519 for the tools of today, ML-DSA-44 for as long as a record must last. */
const algorithms = [
  { type: 4, algorithm: "ed25519" },
  { type: 6, algorithm: "ml-dsa-44" },
] as const;

/**
 * A witness's keys. Made at the first start, with the name; both stay what they are, since a witness is known by them.
 *
 * @throws CliError usage without a name, or with another one than before
 */
export async function openWitnessKeys(dir: string, wanted: string | undefined): Promise<readonly NoteSigner[]> {
  const name = await openName(dir, wanted);
  const keys = join(dir, "keys");
  await mkdir(keys, { recursive: true, mode: 0o700 });
  const signers: NoteSigner[] = [];
  for (const { type, algorithm } of algorithms) {
    const pem = await openKey(join(keys, `${algorithm}.pem`), algorithm);
    signers.push(noteSignerFromPem(name, type, pem));
  }
  return signers;
}

async function openName(dir: string, wanted: string | undefined): Promise<string> {
  const path = join(dir, "witness.json");
  const known = await nodeFiles.readWhole(path);
  if (known !== undefined) {
    const { name } = JSON.parse(Buffer.from(known).toString("utf8")) as { name?: unknown };
    if (typeof name === "string" && (wanted === undefined || wanted === name)) return name;
    throw usageError(`${dir} is the folder of witness ${String(name)}`, "a witness keeps its name: use another folder");
  }
  if (wanted === undefined) throw usageError("the witness has no name yet", "give --name, such as witness.example/one");
  checkKeyName(wanted);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeDurably(
    nodeFiles,
    path,
    utf8(`${JSON.stringify({ format: "tally-witness/v1", name: wanted }, null, 2)}\n`),
  );
  return wanted;
}

async function openKey(path: string, algorithm: (typeof algorithms)[number]["algorithm"]): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const pem = generatePrivateKeyPem(algorithm);
  await writeDurably(nodeFiles, path, utf8(pem));
  await chmod(path, 0o600);
  return pem;
}
