import {
  type DeviceConflict,
  type DeviceState,
  type DeviceStatus,
  type Digest,
  decodeCbor,
  decodeEntry,
  digestFromHash,
  digestOf,
  type EnrollRequest,
  type EnrollResponse,
  type Entry,
  emptyRoot,
  encodeCbor,
  equalBytes,
  fromBase64,
  fromHex,
  type HeadLeaf,
  hashLeaf,
  type KeySet,
  type KeyType,
  loadReasons,
  parseCheckpoint,
  sha256,
  sortHeadLeaves,
  toBase64,
  toHex,
  utf8,
  verifyAllOf,
} from "@tally/evidence";
import type { Admission, Clock, Conflict, Mirror, MirroredLog } from "@tally/ledger";
import type { BlobStore, Database } from "@tally/oci";
import { hashToken, newToken, type Tokens } from "../access/tokens.ts";
import { PlaneError } from "../error.ts";
import type { PlaneLogs } from "../log/plane-logs.ts";

interface DeviceRow {
  readonly origin: string;
  readonly device_id: string;
  readonly epoch: number;
  readonly name: string | null;
  readonly device_group: string | null;
  readonly state: DeviceState;
  readonly genesis: string;
  readonly key_set: Uint8Array;
  readonly fleet_index: number;
  readonly last_sync: number | null;
}

/** The heads of one ledger as they were at one moment. */
interface LedgerHeads extends Pick<Partial<MirroredLog>, "pending" | "mirrored"> {
  readonly origin: string;
}

const keptOut: Partial<Record<DeviceState, string>> = {
  equivocated: "it signed two histories, and nothing tells which holder of its keys is the device",
  diverged: "what it offered cannot be reconciled with what it delivered before",
  revoked: "its keys were revoked",
  decommissioned: "it was decommissioned",
};

/** The devices of this plane: who was admitted, with which keys, and how the plane stands to each. */
export class Fleet {
  readonly #plane: string;
  readonly #db: Database;
  readonly #blobs: BlobStore;
  readonly #logs: PlaneLogs;
  readonly #tokens: Tokens;
  readonly #clock: Clock;
  /** Notes that are stored already, so that not every round asks for them. */
  readonly #kept = new Set<string>();
  /** Entries of the fleet log that the tables know of. */
  #taken = 0;
  /** Enrolments are few: one at a time, so that a token is used once. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: { plane: string; db: Database; blobs: BlobStore; logs: PlaneLogs; tokens: Tokens; clock: Clock }) {
    this.#plane = parts.plane;
    this.#db = parts.db;
    this.#blobs = parts.blobs;
    this.#logs = parts.logs;
    this.#tokens = parts.tokens;
    this.#clock = parts.clock;
  }

  async createToken(name: string | undefined, group: string | undefined, lifetimeMs: number) {
    const token = newToken();
    const expires = this.#clock.now() + lifetimeMs;
    await this.#db.run(
      "INSERT INTO enrolment_token (hash, name, device_group, expires, origin) VALUES (?, ?, ?, ?, NULL)",
      [hashToken(token), name ?? null, group ?? null, expires],
    );
    return { token, expires };
  }

  /** @throws PlaneError `unauthorized` for a token that is unknown or too old. */
  async requireToken(token: string | undefined): Promise<{ origin: string | null }> {
    const [row] = await this.#db.query<{ expires: number; origin: string | null }>(
      "SELECT expires, origin FROM enrolment_token WHERE hash = ?",
      [hashToken(token ?? "")],
    );
    if (row === undefined || row.expires <= this.#clock.now()) {
      throw new PlaneError("unauthorized", "the enrolment token is unknown or has expired", {
        hint: "ask an administrator for a new one: `tally device token`",
      });
    }
    return { origin: row.origin };
  }

  /** Admits a device. The same request again answers the same; another device with a used token is refused. */
  enroll(token: string | undefined, request: EnrollRequest): Promise<EnrollResponse> {
    const result = this.#turn.then(() => this.#enroll(token, request));
    this.#turn = result.catch(() => {});
    return result;
  }

  async #enroll(token: string | undefined, request: EnrollRequest): Promise<EnrollResponse> {
    const used = await this.requireToken(token);
    const admitted = this.#readRequest(request);
    const { origin, deviceId, genesis, genesisHash, keySet } = admitted;
    if (used.origin !== null && used.origin !== origin) {
      throw new PlaneError("unauthorized", "the enrolment token has been used", {
        hint: "a token enrols one device, once",
      });
    }
    await this.catchUp();
    const known = await this.#row(origin);
    if (known !== undefined) {
      if (known.genesis === digestFromHash(genesisHash)) return { origin, index: known.fleet_index };
      throw new PlaneError("conflict", `${origin} is enrolled with another genesis entry`);
    }
    await this.#db.run("UPDATE enrolment_token SET origin = ? WHERE hash = ?", [origin, hashToken(token!)]);
    await this.#blobs.put(digestOf(genesis), genesis);
    const entry = { kind: "enrol", deviceId, epoch: 0, origin, genesisHash, keySet } as const;
    const index = await this.#logs.append("fleet", entry);
    await this.catchUp();
    return { origin, index };
  }

  /**
   * Takes the fleet log's entries into the tables, up to `size`: the log is what counts, and after a stop in between it is
   * ahead. An entry that is taken twice changes nothing.
   */
  async catchUp(size = this.#logs.fleet.size): Promise<void> {
    let index = this.#taken;
    if (index >= size) return;
    for await (const bytes of this.#logs.fleet.entries(index, size)) await this.#take(decodeEntry(bytes), index++);
    this.#taken = Math.max(this.#taken, size);
  }

  async #take(entry: Entry, index: number): Promise<void> {
    if (entry.kind === "enrol") {
      const { origin, deviceId, epoch, genesisHash, keySet } = entry;
      const [labels] = await this.#db.query<{ name: string | null; device_group: string | null }>(
        "SELECT name, device_group FROM enrolment_token WHERE origin = ?",
        [origin],
      );
      const keys = encodeCbor(keySet.map(({ type, publicKey }) => [type, publicKey]));
      await this.#db.run(
        "INSERT INTO device (origin, device_id, epoch, name, device_group, state, genesis, key_set, fleet_index, last_sync) VALUES (?, ?, ?, ?, ?, 'enrolled', ?, ?, ?, NULL) ON CONFLICT DO NOTHING",
        [
          origin,
          deviceId,
          epoch,
          labels?.name ?? null,
          labels?.device_group ?? null,
          digestFromHash(genesisHash),
          keys,
          index,
        ],
      );
    } else if (entry.kind === "revoke" && entry.origin !== null) {
      await this.#db.run("UPDATE device SET state = 'revoked' WHERE origin = ?", [entry.origin]);
      await this.#tokens.endSessions(entry.origin);
    }
  }

  #readRequest({ deviceId, origin, genesis: encoded, checkpoint: signed }: EnrollRequest) {
    try {
      const genesis = fromBase64(encoded);
      const entry = decodeEntry(genesis);
      if (entry.kind !== "genesis") throw new Error(`the first entry is ${entry.kind}, not genesis`);
      if (origin !== `${this.#plane}/d/${deviceId}/0` || entry.deviceId !== deviceId || entry.epoch !== 0) {
        throw new Error(`the origin is not ${this.#plane}/d/<device id>/0`);
      }
      if (entry.plane !== this.#plane)
        throw new Error(`the genesis entry names plane ${entry.plane}, this is ${this.#plane}`);
      requireKeys(entry.keySet);
      const { note, checkpoint } = parseCheckpoint(utf8(signed));
      verifyAllOf(note, origin, entry.keySet);
      const genesisHash = hashLeaf(genesis);
      if (checkpoint.size !== 1 || !equalBytes(checkpoint.root, genesisHash)) {
        throw new Error("the checkpoint is not of the genesis entry alone");
      }
      return { origin, deviceId: entry.deviceId, genesis, genesisHash, keySet: entry.keySet };
    } catch (cause) {
      throw new PlaneError("bad-request", `the enrolment does not hold: ${(cause as Error).message}`, { cause });
    }
  }

  /** Key set, or why there is no way in, for the mirror. */
  async admission(origin: string): Promise<Admission> {
    const row = await this.#row(origin);
    if (row === undefined) return undefined;
    const reason = keptOut[row.state];
    return reason === undefined ? keySetOf(row) : { blocked: `${row.state}: ${reason}` };
  }

  /** The key set of a ledger in good standing. @throws PlaneError `not-found`, `forbidden` */
  async keySet(origin: string): Promise<KeySet> {
    const row = await this.#row(origin);
    if (row === undefined) throw new PlaneError("not-found", `${origin.slice(0, 200)} is not enrolled here`);
    const reason = keptOut[row.state];
    if (reason !== undefined) {
      throw new PlaneError("blocked", `${origin} is blocked, ${row.state}: ${reason}`, {
        hint: "an administrator decides what becomes of it: `tally device status`",
      });
    }
    return keySetOf(row);
  }

  /** The key set of a ledger whatever its standing, for checking evidence. */
  async keySetForEvidence(origin: string): Promise<KeySet | undefined> {
    const row = await this.#row(origin);
    return row && keySetOf(row);
  }

  /** The newest head of every ledger ever admitted. */
  async heads(mirror: Pick<Mirror, "log">, fleetSize: number): Promise<readonly HeadLeaf[]> {
    await this.catchUp(fleetSize);
    const rows = await this.#db.query<{ origin: string }>("SELECT origin FROM device WHERE fleet_index < ?", [
      fleetSize,
    ]);
    // Taken at one moment: ledgers move on while notes are written, and each note has to be the one that its leaf names.
    const heads = rows.map(({ origin }): LedgerHeads => {
      const log = mirror.log(origin);
      return { origin, pending: log?.pending, mirrored: log?.mirrored };
    });
    for (const head of heads) await this.#keepNotes(head);
    return sortHeadLeaves(heads.map(leafOf));
  }

  /** A heads entry names notes by their hash, and the mirror keeps only the newest: so they are kept here. */
  async #keepNotes({ origin, pending, mirrored }: LedgerHeads): Promise<void> {
    for (const head of [pending, mirrored]) {
      if (head === undefined) continue;
      const { size } = head.checkpoint;
      const bytes = utf8(head.note);
      const key = `${origin} ${digestOf(bytes)}`;
      if (this.#kept.has(key)) continue;
      await this.#blobs.put(digestOf(bytes), bytes);
      await this.#db.run("INSERT INTO device_note (origin, size, note) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [
        origin,
        size,
        digestOf(bytes),
      ]);
      if (this.#kept.size > 10_000) this.#kept.clear();
      this.#kept.add(key);
    }
  }

  /** A ledger's checkpoint of that size, where a heads entry has named it. */
  async note(origin: string, size: number): Promise<Uint8Array | undefined> {
    const [row] = await this.#db.query<{ note: Digest }>("SELECT note FROM device_note WHERE origin = ? AND size = ?", [
      origin,
      size,
    ]);
    return row && this.#blobs.bytes(row.note, 1_000_000);
  }

  async onConflict(conflict: Conflict): Promise<void> {
    const [held, refused] = [utf8(conflict.signed), utf8(conflict.offered)];
    await this.#blobs.put(digestOf(held), held);
    await this.#blobs.put(digestOf(refused), refused);
    const proof = JSON.stringify(conflict.proof.map((hash) => toHex(hash)));
    const evidence = utf8(evidenceOf(conflict));
    await this.#blobs.put(digestOf(evidence), evidence);
    await this.#db.transaction(async (db) => {
      await db.run(
        "INSERT INTO conflict (origin, kind, reason, at, held, refused, proof, evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
          conflict.origin,
          conflict.kind,
          conflict.reason,
          this.#clock.now(),
          digestOf(held),
          digestOf(refused),
          proof,
          digestOf(evidence),
        ],
      );
      await db.run("UPDATE device SET state = ? WHERE origin = ? AND state IN ('enrolled', 'ok', 'diverged')", [
        conflict.kind,
        conflict.origin,
      ]);
    });
    await this.#tokens.endSessions(conflict.origin);
  }

  async onMirrored(origin: string): Promise<void> {
    await this.#db.run(
      "UPDATE device SET last_sync = ?, state = CASE state WHEN 'enrolled' THEN 'ok' ELSE state END WHERE origin = ?",
      [this.#clock.now(), origin],
    );
  }

  /** Revokes every ledger of a device: an entry of the fleet log, and no way in any more. */
  async revoke(deviceId: string, compromiseTime: number | null, reason: string): Promise<void> {
    const rows = await this.#db.query<DeviceRow>("SELECT * FROM device WHERE device_id = ?", [deviceId]);
    if (rows.length === 0) throw new PlaneError("not-found", `no device has the id ${deviceId.slice(0, 64)}`);
    for (const row of rows) {
      const said = utf8(JSON.stringify({ origin: row.origin, compromiseTime, reason, at: this.#clock.now() }));
      await this.#blobs.put(digestOf(said), said);
      await this.#logs.append("fleet", {
        kind: "revoke",
        origin: row.origin,
        keyId: toHex(sha256(row.key_set)),
        compromiseTime,
        statement: digestOf(said),
      });
      await this.catchUp();
    }
  }

  async status(mirror: Mirror, deviceId?: string): Promise<readonly DeviceStatus[]> {
    const rows = await this.#db.query<DeviceRow>(
      deviceId === undefined
        ? "SELECT * FROM device ORDER BY fleet_index"
        : "SELECT * FROM device WHERE device_id = ? ORDER BY epoch",
      deviceId === undefined ? [] : [deviceId],
    );
    return Promise.all(rows.map((row) => this.#statusOf(row, mirror)));
  }

  /** The origin of a device's newest epoch. @throws PlaneError `not-found` */
  async originOf(deviceId: string): Promise<string> {
    const [row] = await this.#db.query<{ origin: string }>(
      "SELECT origin FROM device WHERE device_id = ? ORDER BY epoch DESC LIMIT 1",
      [deviceId],
    );
    if (row === undefined) throw new PlaneError("not-found", `no device has the id ${deviceId.slice(0, 64)}`);
    return row.origin;
  }

  async contradictions(origin: string) {
    const rows = await this.#db.query<{ held: Digest; refused: Digest; proof: string }>(
      "SELECT held, refused, proof FROM conflict WHERE origin = ? AND kind = 'equivocated' ORDER BY at",
      [origin],
    );
    return rows.map(({ held, refused, proof }) => ({
      held,
      refused,
      proof: (JSON.parse(proof) as string[]).map((hash) => fromHex(hash)),
    }));
  }

  async #statusOf(row: DeviceRow, mirror: Mirror): Promise<DeviceStatus> {
    const { origin } = row;
    const [counted] = await this.#db.query<{ n: number | null }>(
      "SELECT SUM(records) AS n FROM package WHERE origin = ?",
      [origin],
    );
    const refusals = await this.#db.query<{ idx: number; manifest: string | null; reason: number }>(
      "SELECT idx, manifest, reason FROM load WHERE origin = ? AND outcome = 'refused' ORDER BY idx DESC LIMIT 20",
      [origin],
    );
    const conflicts = await this.#db.query<DeviceConflict>(
      "SELECT kind, reason, at, evidence FROM conflict WHERE origin = ? ORDER BY at DESC",
      [origin],
    );
    const log = mirror.log(origin);
    return {
      deviceId: row.device_id,
      origin,
      epoch: row.epoch,
      ...(row.name !== null && { name: row.name }),
      ...(row.device_group !== null && { group: row.device_group }),
      state: row.state,
      mirroredSize: log?.mirrored?.checkpoint.size ?? 0,
      pendingSize: log?.pending?.checkpoint.size ?? 0,
      lastSync: row.last_sync,
      records: counted?.n ?? 0,
      refusals: refusals.map(({ idx, manifest, reason }) => ({ index: idx, manifest, reason: reasonName(reason) })),
      conflicts: conflicts.map(({ kind, reason, at, evidence }) => ({ kind, reason, at, evidence })),
    };
  }

  async #row(origin: string): Promise<DeviceRow | undefined> {
    return (await this.#db.query<DeviceRow>("SELECT * FROM device WHERE origin = ?", [origin]))[0];
  }
}

function keySetOf(row: DeviceRow): KeySet {
  const keys = decodeCbor(row.key_set) as readonly (readonly [KeyType, Uint8Array])[];
  return keys.map(([type, publicKey]) => ({ type, publicKey }));
}

function leafOf({ origin, pending, mirrored }: LedgerHeads): HeadLeaf {
  return {
    origin,
    pendingSize: pending?.checkpoint.size ?? 0,
    pendingRoot: pending?.checkpoint.root ?? emptyRoot,
    pendingNoteHash: pending === undefined ? null : sha256(utf8(pending.note)),
    mirroredSize: mirrored?.checkpoint.size ?? 0,
    mirroredRoot: mirrored?.checkpoint.root ?? emptyRoot,
  };
}

/** What a conflict consists of, for whoever wants to check it: two signed notes and a proof, and entries where they convict. */
function evidenceOf({ origin, kind, reason, signed, offered, proof, old, entries }: Conflict): string {
  const file = {
    format: "tally-conflict/v1",
    origin,
    kind,
    reason,
    held: signed,
    refused: offered,
    old,
    proof: proof.map((hash) => toBase64(hash)),
    ...(entries && { entries: { ...entries, entries: entries.entries.map((entry) => toBase64(entry)) } }),
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

function reasonName(code: number): string {
  return Object.entries(loadReasons).find(([, known]) => known === code)?.[0] ?? `reason ${code}`;
}

/** A classical key, which also opens sessions, and ML-DSA-44 (evidence.md 2); more would only cost verifying. */
function requireKeys(keySet: KeySet): void {
  const classical = keySet.filter(({ type }) => type === 1 || type === 2).length;
  const postQuantum = keySet.filter(({ type }) => type === 6).length;
  if (classical === 1 && postQuantum === 1 && keySet.length === 2) return;
  throw new Error("the key set is not one Ed25519 or ECDSA key and one ML-DSA-44 key");
}
