import { consistencyMember, type Digest, decodeEntry, type HeadLeaf } from "@tally/evidence";
import { gatherStatement } from "./gather-statement.ts";
import type { Gathered } from "./gathered.ts";
import type { AuditSource } from "./source.ts";

/** An entry of the fleet log that carries out what a person decided. */
export interface DecidedEntry {
  /** Null for a person's key. */
  readonly origin: string | null;
  readonly statement?: Digest | null;
}

/** Adds the signed statements behind what the fleet log says of these ledgers, and of people's keys. */
export async function gatherDecisions(
  source: AuditSource,
  decisions: readonly DecidedEntry[],
  isAsked: (origin: string) => boolean,
  gathered: Gathered,
): Promise<void> {
  for (const { origin, statement } of decisions) {
    if (!statement || (origin !== null && !isAsked(origin))) continue;
    const row = await source.statement(statement);
    if (row === undefined || !gathered.covers(row.index)) continue;
    await gatherStatement(source, row, gathered);
  }
}

/** Adds the proof that the head which a new epoch's genesis entry names is of the ledger before it. */
export async function gatherPredecessor(
  source: AuditSource,
  leaf: HeadLeaf,
  leaves: readonly HeadLeaf[],
  gathered: Gathered,
): Promise<void> {
  const epoch = epochOf(leaf.origin);
  const own = source.mirror(leaf.origin);
  if (epoch === 0 || own === undefined || leaf.mirroredSize === 0) return;
  const genesis = decodeEntry(await own.entry(0));
  if (genesis.kind !== "genesis" || genesis.predecessor === undefined) return;
  const device = deviceOf(leaf.origin);
  const before = leaves
    .filter(({ origin }) => deviceOf(origin) === device && epochOf(origin) < epoch)
    .reduce<HeadLeaf | undefined>(
      (last, other) => (last === undefined || epochOf(other.origin) > epochOf(last.origin) ? other : last),
      undefined,
    );
  const [smaller, larger] = [genesis.predecessor.mirroredSize, before?.mirroredSize ?? 0];
  const log = before && source.mirror(before.origin);
  if (log === undefined || smaller === 0 || smaller >= larger) return;
  const proof = await log.consistencyProof(smaller, larger);
  gathered.add(consistencyMember({ origin: log.origin, smaller, larger, proof }));
}

function epochOf(origin: string): number {
  return Number(origin.slice(origin.lastIndexOf("/") + 1));
}

function deviceOf(origin: string): string {
  return origin.slice(0, origin.lastIndexOf("/"));
}
