import {
  consistencyMember,
  type Digest,
  digestOf,
  type EntriesToCome,
  type Member,
  type MemberType,
  memberTypes,
  parseCheckpoint,
  planeEntryMember,
  rangeProofMember,
} from "@tally/evidence";
import type { LogReader } from "@tally/ledger";
import { PlaneError } from "../error.ts";
import type { AuditSource, CosignedCheckpoint } from "./source.ts";

/** Members of a bundle in the making. What two parts of an answer both need is in it once. */
export class Gathered {
  readonly #source: AuditSource;
  readonly #newest: CosignedCheckpoint;
  readonly #members = new Map<string, Member>();
  readonly #planeNotes = new Map<number, Uint8Array[]>();
  /** Notes that were asked for: a fleet's anchors name the same few again and again. */
  readonly #asked = new Map<Digest, Promise<void>>();
  readonly #planeEntries = new Set<number>();
  readonly #entries: EntriesToCome[] = [];
  #revoked: ReadonlySet<string> = new Set();

  constructor(source: AuditSource, newest: CosignedCheckpoint) {
    this.#source = source;
    this.#newest = newest;
    this.#addPlaneNote(newest.note);
  }

  add(member: Member): void {
    this.#members.set(`${member.type} ${digestOf(member.bytes)}`, member);
  }

  /** Adds stored bytes by digest; false where they are not there. */
  async addStored(type: MemberType, digest: Digest): Promise<boolean> {
    const bytes = await this.#source.blob(digest);
    if (bytes === undefined) return false;
    this.add({ type, bytes });
    return true;
  }

  /** Adds a cosigned checkpoint of the plane's log, unless it is younger than the answer. */
  addPlaneNote(digest: Digest): Promise<void> {
    const asked = this.#asked.get(digest);
    if (asked !== undefined) return asked;
    const adding = this.#findPlaneNote(digest);
    this.#asked.set(digest, adding);
    return adding;
  }

  async #findPlaneNote(digest: Digest): Promise<void> {
    const bytes = await this.#source.planeNote(digest);
    if (bytes !== undefined && parseCheckpoint(bytes).checkpoint.size <= this.#newest.size) this.#addPlaneNote(bytes);
  }

  /** Ledgers whose keys were revoked, once the fleet log has been read. */
  set revoked(origins: ReadonlySet<string>) {
    this.#revoked = origins;
  }

  isRevoked(origin: string): boolean {
    return this.#revoked.has(origin);
  }

  /** All entries of the plane's log after its last heads entry, to show that it is the last. */
  async addAfter(heads: number): Promise<void> {
    const { log } = this.#source;
    const [from, to] = [heads + 1, this.#newest.size];
    if (from >= to) return;
    const { left, right } = await log.rangeProof(from, to, to);
    this.add(rangeProofMember({ origin: log.origin, from, to, size: to, left, right }));
    this.addEntries(log, from, to);
  }

  /** Entries [from, to) of a log, which are read when the bundle is written: an answer may have millions. */
  addEntries(log: LogReader, from: number, to: number): void {
    this.#entries.push({ origin: log.origin, from, to, read: (at, end) => log.entries(at, end) });
  }

  /** What `addEntries` was given. */
  get entries(): readonly EntriesToCome[] {
    return this.#entries;
  }

  /** Whether the answer's checkpoint covers that entry of the plane's log. */
  covers(index: number): boolean {
    return index < this.#newest.size;
  }

  /** An entry of the plane's log, to be proven under the answer's checkpoint. */
  addPlaneEntry(index: number): void {
    this.#planeEntries.add(index);
  }

  /** All members, with the proofs that tie the plane's checkpoints and entries together. */
  async finish(): Promise<readonly Member[]> {
    const { log } = this.#source;
    const sizes = [...this.#planeNotes.keys()].sort((a, b) => a - b);
    for (const [i, size] of sizes.entries()) {
      for (const bytes of this.#planeNotes.get(size)!) this.add({ type: memberTypes.planeCheckpoint, bytes });
      const before = sizes[i - 1];
      if (before === undefined || before === 0) continue;
      const proof = await log.consistencyProof(before, size);
      this.add(consistencyMember({ origin: log.origin, smaller: before, larger: size, proof }));
    }
    for (const index of this.#planeEntries) {
      const bytes = await log.entry(index);
      const proof = await log.inclusionProof(index, this.#newest.size);
      this.add(planeEntryMember({ index, bytes, size: this.#newest.size, proof }));
    }
    return [...this.#members.values()];
  }

  #addPlaneNote(bytes: Uint8Array): void {
    const { size } = parseCheckpoint(bytes).checkpoint;
    const same = this.#planeNotes.get(size) ?? [];
    const digest = digestOf(bytes);
    if (!same.some((note) => digestOf(note) === digest)) this.#planeNotes.set(size, [...same, bytes]);
  }
}

/** Begins an answer at a checkpoint that witnesses have cosigned, the newest one by default. */
export async function beginAnswer(
  source: AuditSource,
  at?: CosignedCheckpoint,
): Promise<{ gathered: Gathered; newest: CosignedCheckpoint; heads: number }> {
  const newest = at ?? (await source.newest());
  const heads = newest && (await source.lastHeadsBelow(newest.size));
  if (newest === undefined || heads === undefined) {
    throw new PlaneError("not-ready", "no checkpoint of the plane has been cosigned yet: try again in a moment", {
      hint: "GET /readyz says which witnesses are missing",
    });
  }
  const gathered = new Gathered(source, newest);
  gathered.addPlaneEntry(heads);
  await gathered.addAfter(heads);
  return { gathered, newest, heads };
}
