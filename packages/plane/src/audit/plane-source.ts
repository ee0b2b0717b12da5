import { asHash, type Digest, type HeadLeaf, sliceLength } from "@tally/evidence";
import type { LogReader, Mirror, MirroredLog } from "@tally/ledger";
import { type BlobStore, type Database, OciError } from "@tally/oci";
import type { Fleet } from "../fleet/fleet.ts";
import type { Checkpoints } from "../log/checkpoints.ts";
import type { HeadsStore } from "../log/heads-store.ts";
import type { PlaneLogs } from "../log/plane-logs.ts";
import type {
  AnchorRow,
  AuditSource,
  ContradictionRow,
  CosignedCheckpoint,
  HeadStep,
  HeadsAt,
  StatementRow,
} from "./source.ts";

export interface PlaneSourceParts {
  readonly logs: PlaneLogs;
  readonly checkpoints: { readonly log: Checkpoints; readonly fleet: Checkpoints };
  readonly heads: HeadsStore;
  readonly mirror: Mirror;
  readonly fleet: Fleet;
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly statements: {
    about(subject: Digest): Promise<readonly StatementRow[]>;
    row(envelope: Digest): Promise<StatementRow | undefined>;
    countsByTime(envelope: Digest): Promise<boolean>;
    erasures(origin: string, from: number, to: number): Promise<readonly StatementRow[]>;
    quarantines(origin: string): Promise<readonly StatementRow[]>;
  };
}

const maxBlobBytes = 4_000_000;
/** Gaps of one ledger that an answer shows at the most. */
const maxGaps = 64;

/** What answers are made of, in a running plane. */
export class PlaneSource implements AuditSource {
  readonly #parts: PlaneSourceParts;

  constructor(parts: PlaneSourceParts) {
    this.#parts = parts;
  }

  get log(): LogReader {
    return this.#parts.logs.log;
  }

  get fleet(): LogReader {
    return this.#parts.logs.fleet;
  }

  async newest(): Promise<CosignedCheckpoint | undefined> {
    const { log } = this.#parts.checkpoints;
    const newest = await log.newest();
    return newest && { size: newest.size, note: await log.bytes(newest.note) };
  }

  async fleetNote(size: number): Promise<Uint8Array | undefined> {
    const { fleet } = this.#parts.checkpoints;
    const stored = await fleet.ofSize(size);
    return stored && fleet.bytes(stored.note);
  }

  lastHeadsBelow(size: number): Promise<number | undefined> {
    return this.#parts.heads.lastBelow(size);
  }

  headsLeaves(headsIndex: number): Promise<readonly HeadLeaf[]> {
    return this.#parts.heads.leaves(headsIndex);
  }

  async headHistory(origin: string): Promise<readonly HeadStep[]> {
    const rows = await this.#parts.db.query<{ heads: number; size: number }>(
      "SELECT MIN(heads) AS heads, size FROM head_step WHERE origin = ? GROUP BY size ORDER BY size",
      [origin],
    );
    const steps: HeadStep[] = [];
    for (const { heads, size } of rows) {
      const covering = await this.#parts.checkpoints.log.firstCovering(heads);
      if (covering === undefined || covering.notAfter === null) continue;
      steps.push({ headsIndex: heads, pendingSize: size, note: covering.note, notAfter: covering.notAfter });
    }
    return steps;
  }

  async headStepFrom(origin: string, size: number): Promise<HeadStep | undefined> {
    const [row] = await this.#parts.db.query<{ heads: number; size: number }>(
      "SELECT MIN(heads) AS heads, size FROM head_step WHERE origin = ? AND size >= ? GROUP BY size ORDER BY size LIMIT 1",
      [origin, size],
    );
    const covering = row && (await this.#parts.checkpoints.log.firstCovering(row.heads));
    if (row === undefined || covering === undefined || covering.notAfter === null) return undefined;
    return { headsIndex: row.heads, pendingSize: row.size, note: covering.note, notAfter: covering.notAfter };
  }

  async headsNotAfter(time: number): Promise<HeadsAt | undefined> {
    const checkpoint = await this.#parts.checkpoints.log.lastNotAfter(time);
    const headsIndex = checkpoint && (await this.#parts.heads.lastBelow(checkpoint.size));
    if (headsIndex === undefined) return undefined;
    return { headsIndex, note: checkpoint!.note, notAfter: checkpoint!.notAfter! };
  }

  async packagesOf(origin: string, loads: ReadonlySet<number>, from: number, to: number): Promise<readonly number[]> {
    const rows = await this.#parts.db.query<{ package: number; load: number }>(
      "SELECT package, load FROM package WHERE origin = ? AND package >= ? AND package <= ?",
      [origin, Math.floor(from / sliceLength), Math.floor(to / sliceLength)],
    );
    return [...new Set(rows.flatMap(({ package: number, load }) => (loads.has(load) ? [number] : [])))];
  }

  async gaps(origin: string, from: number, to: number): Promise<readonly number[]> {
    const rows = await this.#parts.db.query<{ idx: number }>(
      "SELECT idx FROM gap WHERE origin = ? AND idx >= ? AND idx < ? ORDER BY idx LIMIT ?",
      [origin, from, to, maxGaps],
    );
    return rows.map(({ idx }) => idx);
  }

  async anchors(origin: string): Promise<readonly AnchorRow[]> {
    const rows = await this.#parts.db.query<{ idx: number; note: Digest; not_before: number | null }>(
      "SELECT a.idx, a.note, c.not_before FROM anchor a LEFT JOIN checkpoint c ON c.note = a.note AND c.log = ? WHERE a.origin = ? ORDER BY a.idx",
      [this.log.origin, origin],
    );
    return rows.map(({ idx, note, not_before }) => ({ index: idx, note, notBefore: not_before }));
  }

  async statingEntryAt(origin: string, index: number): Promise<number> {
    const [row] = await this.#parts.db.query<{ idx: number | null }>(
      "SELECT MAX(idx) AS idx FROM stating WHERE origin = ? AND idx <= ?",
      [origin, index],
    );
    return row?.idx ?? 0;
  }

  async statingEntryAfter(origin: string, index: number): Promise<number | undefined> {
    const [row] = await this.#parts.db.query<{ idx: number | null }>(
      "SELECT MIN(idx) AS idx FROM stating WHERE origin = ? AND idx > ?",
      [origin, index],
    );
    return row?.idx ?? undefined;
  }

  mirror(origin: string): MirroredLog | undefined {
    return this.#parts.mirror.log(origin);
  }

  async planeNote(digest: Digest): Promise<Uint8Array | undefined> {
    const { log } = this.#parts.checkpoints;
    const stored = await log.byNote(digest);
    return stored && log.bytes(stored.note);
  }

  async blob(digest: Digest): Promise<Uint8Array | undefined> {
    try {
      return await this.#parts.blobs.bytes(digest, maxBlobBytes);
    } catch (error) {
      if (error instanceof OciError && (error.code === "not-found" || error.code === "too-large")) return undefined;
      throw error;
    }
  }

  statementsAbout(subject: Digest): Promise<readonly StatementRow[]> {
    return this.#parts.statements.about(subject);
  }

  erasures(origin: string, from: number, to: number): Promise<readonly StatementRow[]> {
    return this.#parts.statements.erasures(origin, from, to);
  }

  quarantines(origin: string): Promise<readonly StatementRow[]> {
    return this.#parts.statements.quarantines(origin);
  }

  statement(envelope: Digest): Promise<StatementRow | undefined> {
    return this.#parts.statements.row(envelope);
  }

  async statementTimes({ envelope, index }: StatementRow): Promise<readonly Digest[]> {
    if (!(await this.#parts.statements.countsByTime(envelope))) return [];
    const { log } = this.#parts.checkpoints;
    const around = [await log.lastBelow(index), await log.firstCovering(index)];
    return around.flatMap((checkpoint) => (checkpoint === undefined ? [] : [checkpoint.note]));
  }

  async contradictions(origin: string): Promise<readonly ContradictionRow[]> {
    const rows = await this.#parts.fleet.contradictions(origin);
    return Promise.all(
      rows.map(async ({ held, refused, proof }) => ({
        held: await this.#parts.blobs.bytes(held, maxBlobBytes),
        refused: await this.#parts.blobs.bytes(refused, maxBlobBytes),
        proof: proof.map((hash) => asHash(hash)),
      })),
    );
  }

  handovers(origin: string) {
    return this.#parts.fleet.handovers(origin);
  }

  mirroredNote(origin: string, size: number): Promise<Uint8Array | undefined> {
    return this.#parts.fleet.note(origin, size);
  }
}
