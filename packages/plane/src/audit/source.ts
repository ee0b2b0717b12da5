import type { Digest, Hash, HeadLeaf } from "@tally/evidence";
import type { LogReader, MirroredLog } from "@tally/ledger";

/** What answers are made of: the plane's logs and mirrors, and the index that finds the way in them. */
export interface AuditSource {
  readonly log: LogReader;
  readonly fleet: LogReader;
  /** The newest checkpoint of the plane's log that met its witness quorum. */
  newest(): Promise<CosignedCheckpoint | undefined>;
  /** The fleet checkpoint of exactly that size: the complete note. */
  fleetNote(size: number): Promise<Uint8Array | undefined>;
  /** Index of the last heads entry below `size` in the plane's log. */
  lastHeadsBelow(size: number): Promise<number | undefined>;
  /** All leaves of a heads entry, in their order. */
  headsLeaves(headsIndex: number): Promise<readonly HeadLeaf[]>;
  /** How a ledger's head moved, smallest first: one row for each heads entry in which it did. */
  headHistory(origin: string): Promise<readonly HeadStep[]>;
  /** The first step of a ledger's head to that size or above. */
  headStepFrom(origin: string, size: number): Promise<HeadStep | undefined>;
  /** The last heads entry that a cosigned checkpoint proves to be no younger than that time, in milliseconds. */
  headsNotAfter(time: number): Promise<HeadsAt | undefined>;
  /** Numbers of the packages of 256 entries in [from, to) that hold records of these loads, at the least. */
  packagesOf(origin: string, loads: ReadonlySet<number>, from: number, to: number): Promise<readonly number[]>;
  /** Gap entries of a mirrored ledger in [from, to). */
  gaps(origin: string, from: number, to: number): Promise<readonly number[]>;
  /** Anchors of a mirrored ledger, genesis included, by index. */
  anchors(origin: string): Promise<readonly AnchorRow[]>;
  /** The last genesis, restart or summary at or below `index`. */
  statingEntryAt(origin: string, index: number): Promise<number>;
  /** The first summary or restart above `index`, for receipts. */
  statingEntryAfter(origin: string, index: number): Promise<number | undefined>;
  mirror(origin: string): MirroredLog | undefined;
  /**
   * A checkpoint of the plane's log by its complete note's digest; undefined unless it is one that the plane has kept.
   * Devices name notes in their anchors, and may name anything.
   */
  planeNote(digest: Digest): Promise<Uint8Array | undefined>;
  /** A note, verdict or envelope by its digest; undefined also where it is larger than any of them. */
  blob(digest: Digest): Promise<Uint8Array | undefined>;
  /** Statements of the plane's log that have this subject, by index. */
  statementsAbout(subject: Digest): Promise<readonly StatementRow[]>;
  /** Erasures that a device stated of records of which some may be among the entries [from, to), by index. */
  erasures(origin: string, from: number, to: number): Promise<readonly StatementRow[]>;
  /** Quarantines of what a device recorded, and of its segments, by index. `origin`: any ledger of the device. */
  quarantines(origin: string): Promise<readonly StatementRow[]>;
  statement(envelope: Digest): Promise<StatementRow | undefined>;
  /**
   * Checkpoints of the plane's log between which a statement was logged, by their complete notes' digests: those of a statement
   * with a signature that counts by its time. None for others, where the answer's own checkpoint is enough.
   */
  statementTimes(row: StatementRow): Promise<readonly Digest[]>;
  /** Contradictions that anyone can check, for one ledger. */
  contradictions(origin: string): Promise<readonly ContradictionRow[]>;
  /** The ledger's checkpoint that its mirrored entries are under: the complete note. */
  mirroredNote(origin: string, size: number): Promise<Uint8Array | undefined>;
  /** The checkpoints at which the ledger's keys changed, by size. */
  handovers(origin: string): Promise<readonly HandoverRow[]>;
}

export interface CosignedCheckpoint {
  readonly size: number;
  readonly note: Uint8Array;
}

/** A heads entry with the checkpoint that proves its time, as in `HeadStep`. */
export type HeadsAt = Omit<HeadStep, "pendingSize">;

export interface HeadStep {
  readonly headsIndex: number;
  readonly pendingSize: number;
  /** The first cosigned checkpoint that covers the heads entry: the complete note's digest. */
  readonly note: Digest;
  /** Milliseconds; what the quorum of that checkpoint proves. */
  readonly notAfter: number;
}

export interface AnchorRow {
  readonly index: number;
  readonly note: Digest;
  /** Milliseconds; null where the note proves no time. */
  readonly notBefore: number | null;
}

export interface StatementRow {
  readonly envelope: Digest;
  readonly predicateType: string;
  /** Index in the plane's log. */
  readonly index: number;
}

export interface HandoverRow {
  readonly size: number;
  /** Of the complete note, signed with the old keys and the new ones. */
  readonly note: Digest;
}

export interface ContradictionRow {
  readonly held: Uint8Array;
  readonly refused: Uint8Array;
  readonly proof: readonly Hash[];
}
