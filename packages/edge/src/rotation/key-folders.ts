import { access, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  decodeCbor,
  encodeCbor,
  fromBase64,
  type KeySet,
  type KeyType,
  type NoteSigner,
  toBase64,
} from "@tally/evidence";
import type { DeviceFolder } from "../folder/device-folder.ts";
import { readIfPresent, writeDurably } from "../folder/durable-file.ts";
import { keySetOf } from "../identity.ts";

/** The folder with the keys that a rotation made, before they are the device's. */
export function nextKeys(folder: DeviceFolder): DeviceFolder {
  return { ...folder, keys: join(folder.root, "keys-next") };
}

/**
 * Makes the new keys the device's: the old ones are put aside, then removed. Called again after a stop it goes on from where it
 * was; where no rotation is under way it does nothing.
 */
export async function settleKeys(folder: DeviceFolder, accepted: boolean): Promise<void> {
  const [next, old] = [nextKeys(folder).keys, join(folder.root, "keys-old")];
  const between = !(await isThere(folder.keys)) && (await isThere(next));
  if (accepted && !between && (await isThere(next))) await rename(folder.keys, old);
  if (accepted || between) await rename(next, folder.keys).catch(unlessMissing);
  await rm(old, { recursive: true, force: true });
}

export async function encodeKeys(keySet: KeySet): Promise<Uint8Array> {
  return encodeCbor(keySet.map(({ type, publicKey }) => [type, publicKey]));
}

/** The public keys that signed this device's ledgers before, newest first. */
export async function earlierKeySets(folder: DeviceFolder): Promise<readonly KeySet[]> {
  const bytes = await readIfPresent(historyPath(folder));
  if (bytes === undefined) return [];
  return (JSON.parse(new TextDecoder().decode(bytes)) as string[]).map((text) => {
    const keys = decodeCbor(fromBase64(text)) as readonly (readonly [KeyType, Uint8Array])[];
    return keys.map(([type, publicKey]) => ({ type, publicKey }));
  });
}

/** The key sets that heads of the ledger may be signed with, the newest first. */
export async function ownKeySets(folder: DeviceFolder, signers: readonly NoteSigner[]): Promise<readonly KeySet[]> {
  return [keySetOf(signers), ...(await earlierKeySets(folder))];
}

/** Remembers public keys that are about to be replaced. Told twice, they are remembered once. */
export async function rememberKeys(folder: DeviceFolder, signers: readonly NoteSigner[]): Promise<void> {
  const known = await earlierKeySets(folder);
  const texts = await Promise.all([keySetOf(signers), ...known].map(async (set) => toBase64(await encodeKeys(set))));
  await writeDurably(historyPath(folder), `${JSON.stringify([...new Set(texts)])}\n`);
}

function historyPath(folder: DeviceFolder): string {
  return join(folder.state, "earlier-keys.json");
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function unlessMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
}
