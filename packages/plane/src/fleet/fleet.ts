import {
  type DeviceStatus,
  decodeEntry,
  digestFromHash,
  digestOf,
  type EnrollRequest,
  type EnrollResponse,
  type Entry,
  encodeCbor,
  type HeadLeaf,
  type KeySet,
  sha256,
  toHex,
  utf8,
} from "@tally/evidence";
import type { Admission, Clock, Conflict, Mirror } from "@tally/ledger";
import type { BlobStore, Database } from "@tally/oci";
import { hashToken, newToken, type Tokens } from "../access/tokens.ts";
import { PlaneError } from "../error.ts";
import type { PlaneLogs } from "../log/plane-logs.ts";
import { Conflicts } from "./conflicts.ts";
import { type DeviceRow, keptOut, keySetOf } from "./device-row.ts";
import { statusOf } from "./device-status.ts";
import { LedgerHeadNotes } from "./ledger-heads.ts";
import { readEnrolment } from "./read-enrolment.ts";

/** The devices of this plane: who was admitted, with which keys, and how the plane stands to each. */
export class Fleet {
  readonly #plane: string;
  readonly #db: Database;
  readonly #blobs: BlobStore;
  readonly #logs: PlaneLogs;
  readonly #tokens: Tokens;
  readonly #clock: Clock;
  readonly #notes: LedgerHeadNotes;
  readonly #conflicts: Conflicts;
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
    this.#notes = new LedgerHeadNotes(parts.db, parts.blobs);
    this.#conflicts = new Conflicts(parts.db, parts.blobs, parts.clock);
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
    const admitted = readEnrolment(this.#plane, request);
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

  /** The newest head of every ledger admitted by the first `fleetSize` entries of the fleet log. */
  async heads(mirror: Pick<Mirror, "log">, fleetSize: number): Promise<readonly HeadLeaf[]> {
    await this.catchUp(fleetSize);
    const rows = await this.#db.query<{ origin: string }>("SELECT origin FROM device WHERE fleet_index < ?", [
      fleetSize,
    ]);
    return this.#notes.leaves(
      mirror,
      rows.map(({ origin }) => origin),
    );
  }

  /** A ledger's checkpoint of that size, where a heads entry has named it. */
  note(origin: string, size: number): Promise<Uint8Array | undefined> {
    return this.#notes.note(origin, size);
  }

  /** Keeps the evidence and the ledger out. */
  async onConflict(conflict: Conflict): Promise<void> {
    await this.#conflicts.keep(conflict);
    await this.#tokens.endSessions(conflict.origin);
  }

  /** Two histories signed by one ledger's keys. */
  contradictions(origin: string) {
    return this.#conflicts.equivocations(origin);
  }

  /** Not synced: after a power cut the device counts as not heard of since, until its next sync. */
  async onMirrored(origin: string): Promise<void> {
    await this.#db.transaction(
      (tx) =>
        tx.run(
          "UPDATE device SET last_sync = ?, state = CASE state WHEN 'enrolled' THEN 'ok' ELSE state END WHERE origin = ?",
          [this.#clock.now(), origin],
        ),
      { synced: false },
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
    return Promise.all(rows.map((row) => statusOf(this.#db, row, mirror)));
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

  async #row(origin: string): Promise<DeviceRow | undefined> {
    return (await this.#db.query<DeviceRow>("SELECT * FROM device WHERE origin = ?", [origin]))[0];
  }
}
