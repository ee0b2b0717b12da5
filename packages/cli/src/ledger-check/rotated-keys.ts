import { decodeEntry, encodeCbor, equalBytes, eventCodes, type KeySet, sha256 } from "@tally/evidence";
import { openForReading } from "@tally/ledger";

/** The keys that sign from a size on; undefined where the ledger names keys that are not at hand. */
export interface KeysFrom {
  readonly from: number;
  readonly keySet: KeySet | undefined;
}

/** An event with one hash is shorter than this: longer entries need not be decoded. */
const longestEvent = 128;

/**
 * The key sets that took the place of the first one, as the ledger's own `key-rotation` events name them by their hashes.
 *
 * @param known where to find them: all that the ledger ever had, or undefined where nobody says. With `known` a rotation to
 *   other keys is one that was never taken; without it whoever signed from there on is unknown.
 */
export async function rotatedKeys(dir: string, known: readonly KeySet[] | undefined): Promise<readonly KeysFrom[]> {
  const hashed = await Promise.all(
    (known ?? []).map(async (keySet) => ({
      keySet,
      hash: sha256(encodeCbor(keySet.map(({ type, publicKey }) => [type, publicKey]))),
    })),
  );
  const found: KeysFrom[] = [];
  const { log } = await openForReading(dir);
  try {
    let index = 0;
    for await (const bytes of log.entries(0, log.size)) {
      index += 1;
      if (bytes.length > longestEvent) continue;
      const entry = decodeEntry(bytes);
      if (entry.kind !== "event" || entry.code !== eventCodes["key-rotation"]) continue;
      const named = entry.fields.get(0);
      const keySet = hashed.find(({ hash }) => named instanceof Uint8Array && equalBytes(hash, named))?.keySet;
      if (keySet !== undefined || known === undefined) found.push({ from: index, keySet });
    }
  } finally {
    await log.close();
  }
  return found;
}
