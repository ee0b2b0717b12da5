import { dirname, join } from "node:path";
import { readKeyHistory } from "@tally/edge";
import { decodeEntry, EvidenceError, type KeySet, type Trust } from "@tally/evidence";
import { type KeysOfLog, LedgerError, nodeFiles, openForReading, readFirstEntry, readOrigin } from "@tally/ledger";
import type { FoundLedger } from "./find-ledgers.ts";
import { rotatedKeys } from "./rotated-keys.ts";

/** Whose keys a ledger is checked by: those of the trust file, those the fleet log admitted it with, or those that it names itself. */
export type KeySource = "trust file" | "fleet log" | "first entry";

export interface LedgerKeys {
  readonly keySet: KeysOfLog;
  readonly source: KeySource;
}

/** Finds the keys of the ledgers of one folder. The fleet log speaks for devices only where a trust file vouches for it. */
export class KeyFinder {
  readonly #trust: Trust | undefined;
  readonly #admitted: ReadonlyMap<string, readonly AdmittedKeys[]>;

  private constructor(trust: Trust | undefined, admitted: ReadonlyMap<string, readonly AdmittedKeys[]>) {
    this.#trust = trust;
    this.#admitted = admitted;
  }

  static async of(ledgers: readonly FoundLedger[], trust: Trust | undefined): Promise<KeyFinder> {
    const fleet = ledgers.find(({ name }) => name === join("logs", "fleet"));
    if (fleet === undefined) return new KeyFinder(trust, new Map());
    const origin = trust && `${trust.plane.name}/fleet`;
    return new KeyFinder(trust, await admittedKeys(fleet.dir, origin).catch(unreadable));
  }

  /** Undefined where nobody's keys are known. */
  async keysOf({ dir, kind }: FoundLedger): Promise<LedgerKeys | undefined> {
    const log = kind === "own" ? dir : join(dir, "log");
    const origin = await originOf(log);
    const plane = this.#trust?.plane;
    const trusted = [...(plane?.log ?? []), ...(plane?.fleet ?? [])].filter(({ name }) => name === origin);
    if (trusted.length > 0) return { keySet: trusted.map(keyOf), source: "trust file" };
    const admitted = origin === undefined ? undefined : this.#admitted.get(origin);
    if (admitted !== undefined && this.#trust !== undefined) {
      return { keySet: (size) => admitted.findLast(({ from }) => from <= size)?.keySet, source: "fleet log" };
    }
    const named = await keysOfGenesis(log);
    if (named === undefined) return undefined;
    // Whoever names them: only keys that the ledger's own events commit to are taken.
    const known =
      admitted?.map(({ keySet }) => keySet) ?? (kind === "own" ? await readKeyHistory(dirname(dir)) : undefined);
    const later = await rotatedKeys(log, known).catch(nothing);
    const keySets = [{ from: 0, keySet: named }, ...later];
    return { keySet: (size) => keySets.findLast(({ from }) => from <= size)?.keySet, source: "first entry" };
  }
}

interface AdmittedKeys {
  readonly from: number;
  readonly keySet: KeySet;
}

/** By which keys each ledger was admitted, and which took their place from which size on. */
async function admittedKeys(
  dir: string,
  origin: string | undefined,
): Promise<ReadonlyMap<string, readonly AdmittedKeys[]>> {
  const keys = new Map<string, AdmittedKeys[]>();
  const { log } = await openForReading(dir);
  try {
    if (origin !== undefined && log.origin !== origin) return keys;
    for await (const bytes of log.entries(0, log.size)) {
      const entry = decodeEntry(bytes);
      if (entry.kind === "enrol" || entry.kind === "epoch") {
        keys.set(entry.origin, [{ from: 0, keySet: entry.keySet }]);
      } else if (entry.kind === "keys") {
        keys.set(entry.origin, [...(keys.get(entry.origin) ?? []), { from: entry.fromSize, keySet: entry.keySet }]);
      }
    }
  } finally {
    await log.close();
  }
  return keys;
}

async function keysOfGenesis(dir: string): Promise<KeySet | undefined> {
  try {
    const first = await readFirstEntry(dir);
    const entry = first && decodeEntry(first);
    return entry?.kind === "genesis" ? entry.keySet : undefined;
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

async function originOf(dir: string): Promise<string | undefined> {
  return readOrigin(nodeFiles, dir).catch((error: unknown) => {
    if (error instanceof LedgerError) return undefined;
    throw error;
  });
}

function nothing(error: unknown): readonly [] {
  unreadable(error);
  return [];
}

/** What cannot be opened is for the check to name. */
function unreadable(error: unknown): ReadonlyMap<string, readonly AdmittedKeys[]> {
  if (error instanceof LedgerError || error instanceof EvidenceError) return new Map();
  throw error;
}

function keyOf({ type, publicKey }: KeySet[number]): KeySet[number] {
  return { type, publicKey };
}
