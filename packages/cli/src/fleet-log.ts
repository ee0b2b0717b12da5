import {
  asHash,
  type Checkpoint,
  decodeEntry,
  decodeEntryBundle,
  type Enrol,
  type Epoch,
  EvidenceError,
  entriesPath,
  equalBytes,
  Frontier,
  hashLeaf,
  type KeySet,
  type Keys,
  parseCheckpoint,
  quorumMet,
  type Trust,
  tileWidth,
  verifyAllOf,
  verifyNote,
  witnessNames,
} from "@tally/evidence";
import type { PlaneClient } from "./plane-client.ts";

/**
 * A checkpoint of one of the plane's logs, signed by every key of it and by the witness quorum.
 *
 * @throws EvidenceError `signature-missing`, `checkpoint-invalid`
 */
export function trustedCheckpoint(bytes: Uint8Array, log: "log" | "fleet", trust: Trust): Checkpoint {
  const { checkpoint, note } = parseCheckpoint(bytes);
  verifyAllOf(note, `${trust.plane.name}/${log}`, trust.plane[log]);
  const witnesses = [...trust.policy.witnesses.values()].map(({ key }) => key);
  const names = () => witnessNames(trust.policy, verifyNote(note, witnesses));
  if (trust.policy.quorum === "none" || quorumMet(trust.policy, names())) return checkpoint;
  const what = log === "fleet" ? "the fleet log's" : "the plane's log's";
  throw new EvidenceError("signature-missing", `${what} checkpoint has no witness quorum`, {
    hint: "try again in a moment; if it stays so, a witness refuses the plane: ask the operator",
  });
}

/** The keys that sign for a ledger from a size on, and since when by the plane's clock. */
export interface DatedKeys {
  readonly fromSize: number;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly keySet: KeySet;
}

/** How a ledger was admitted, as the fleet log has it, and the keys that it has had, the oldest first. */
export type Admission = (Enrol | Epoch) & { readonly keySets: readonly DatedKeys[] };

/** The keys that have to sign a checkpoint of that size. */
export function keysAtSize({ keySets }: Pick<Admission, "keySets">, size: number): KeySet | undefined {
  return keySets.findLast(({ fromSize }) => fromSize <= size)?.keySet;
}

/** The key sets that none had taken the place of at that time, in milliseconds since 1970: any may speak for the ledger. */
export function keysNotReplacedAt({ keySets }: Pick<Admission, "keySets">, time: number): readonly KeySet[] {
  return keySets.filter((_, i) => (keySets[i + 1]?.since ?? Number.POSITIVE_INFINITY) >= time).map((set) => set.keySet);
}

/**
 * Reads the plane's fleet log, whole, and verifies it with the trust file: every key of the log and the witness quorum
 * signed its checkpoint, and the entries are those of its root.
 *
 * @returns admissions by the ledger's origin, with the keys that took the place of the first
 * @throws EvidenceError `signature-missing`, `proof-invalid`
 */
export async function readFleet(
  client: Pick<PlaneClient, "bytes">,
  trust: Trust,
): Promise<ReadonlyMap<string, Admission>> {
  const admissions: Admissions = new Map();
  for (const bytes of await readFleetEntries(client, trust)) takeFleetEntry(bytes, trust.plane.name, admissions);
  return admissions;
}

/** All entries of the fleet log, verified as `readFleet` says. @throws EvidenceError `signature-missing`, `proof-invalid` */
export async function readFleetEntries(
  client: Pick<PlaneClient, "bytes">,
  trust: Trust,
): Promise<readonly Uint8Array[]> {
  const checkpoint = trustedCheckpoint(await client.bytes("/fleet/checkpoint"), "fleet", trust);
  const tree = Frontier.empty();
  const entries: Uint8Array[] = [];
  for (let first = 0; first < checkpoint.size; first += tileWidth) {
    const width = Math.min(tileWidth, checkpoint.size - first);
    const bundle = await client.bytes(`/fleet/${entriesPath(first / tileWidth, width)}`);
    for (const bytes of decodeEntryBundle(bundle).slice(0, width)) {
      tree.append(hashLeaf(bytes));
      entries.push(bytes);
    }
  }
  if (tree.size === checkpoint.size && equalBytes(tree.root(), asHash(checkpoint.root))) return entries;
  throw new EvidenceError("proof-invalid", "the fleet log's entries are not those that its checkpoint was signed over");
}

/** What the fleet log's entries have said so far, by the ledger's origin. */
export type Admissions = Map<string, Admission & { keySets: DatedKeys[] }>;

/** Takes the fleet log's next entry into account. @throws EvidenceError `proof-invalid` */
export function takeFleetEntry(bytes: Uint8Array, plane: string, admissions: Admissions): void {
  const entry = decodeEntry(bytes);
  if (entry.kind === "enrol" || entry.kind === "epoch") {
    const keySets = [{ fromSize: 0, since: entry.time, keySet: entry.keySet }];
    admissions.set(entry.origin, { ...entry, keySets });
  } else if (entry.kind === "keys" && entry.origin !== plane) {
    addKeys(entry, admissions.get(entry.origin)?.keySets);
  }
}

/** Key sets only follow one another. @throws EvidenceError `proof-invalid` */
function addKeys({ origin, fromSize, time, keySet }: Keys, known: DatedKeys[] | undefined): void {
  const last = known?.at(-1);
  if (known === undefined || last === undefined || fromSize <= last.fromSize) {
    throw new EvidenceError("proof-invalid", `the fleet log gives keys to ${origin} that follow none of its own`);
  }
  known.push({ fromSize, since: time, keySet });
}
