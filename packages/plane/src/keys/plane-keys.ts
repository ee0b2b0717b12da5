import { join } from "node:path";
import { generatePrivateKeyPem, type KeySet, type KeyType, type NoteSigner, noteSignerFromPem } from "@tally/evidence";
import { PlaneError } from "../error.ts";
import { makePrivateFolder, readSecret, writeSecret } from "./key-file.ts";

/** Everything that the plane signs with. The two logs share their keys; a note's text names the log. */
export interface PlaneKeys {
  readonly log: readonly NoteSigner[];
  readonly fleet: readonly NoteSigner[];
  /** Cosigns that a device's ledger only grew. */
  readonly witness: readonly NoteSigner[];
  /** Cosigns that a device's entries are stored: another name and other keys. */
  readonly mirror: readonly NoteSigner[];
  /** What both logs' checkpoints need. */
  readonly keySet: KeySet;
}

const files = [
  { file: "ed25519.pem", algorithm: "ed25519" },
  { file: "ml-dsa-44.pem", algorithm: "ml-dsa-44" },
  { file: "witness-ed25519.pem", algorithm: "ed25519" },
  { file: "witness-ml-dsa-44.pem", algorithm: "ml-dsa-44" },
  { file: "mirror-ed25519.pem", algorithm: "ed25519" },
  { file: "mirror-ml-dsa-44.pem", algorithm: "ml-dsa-44" },
] as const;

/** Whether the folder has a plane's keys. */
export async function hasPlaneKeys(dir: string): Promise<boolean> {
  return (await readSecret(join(dir, files[0].file))) !== undefined;
}

/** Makes the keys that are missing, each 0600. Never replaces one. */
export async function createPlaneKeys(dir: string): Promise<void> {
  await makePrivateFolder(dir);
  // The log's own first key comes last: its file says that the set is complete.
  for (const { file, algorithm } of files.toReversed()) {
    const path = join(dir, file);
    if ((await readSecret(path)) === undefined) await writeSecret(path, generatePrivateKeyPem(algorithm));
  }
}

/** @throws PlaneError `configuration` naming the file that is missing. */
export async function readPlaneKeys(dir: string, name: string): Promise<PlaneKeys> {
  const pems = await Promise.all(files.map(({ file }) => readPem(join(dir, file))));
  const signers = (cosigner: string, types: readonly [KeyType, KeyType], at: number): NoteSigner[] =>
    types.map((type, i) => noteSignerFromPem(cosigner, type, pems[at + i]!));
  const log = signers(`${name}/log`, [1, 6], 0);
  return Object.freeze({
    log,
    fleet: signers(`${name}/fleet`, [1, 6], 0),
    witness: signers(`${name}/witness`, [4, 6], 2),
    mirror: signers(`${name}/mirror`, [4, 6], 4),
    keySet: log.map(({ key }) => ({ type: key.type, publicKey: key.publicKey })),
  });
}

async function readPem(path: string): Promise<string> {
  const pem = await readSecret(path);
  if (pem !== undefined) return pem;
  throw new PlaneError("configuration", `the key ${path} is missing`, {
    hint: "restore the folder from its copy; new keys would make a new plane",
  });
}
