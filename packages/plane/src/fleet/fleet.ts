import {
  type DeviceStatus,
  type Digest,
  decodeEntry,
  digestFromHash,
  digestOf,
  type EnrollRequest,
  type EnrollResponse,
  type Entry,
  type EpochRequest,
  type EpochResponse,
  fromBase64,
  type HeadLeaf,
  hashLeaf,
  type KeySet,
  type RotationRequest,
} from "@tally/evidence";
import type { Admission, Clock, Conflict, Mirror } from "@tally/ledger";
import type { BlobStore, Database } from "@tally/oci";
import { hashToken, newToken, Tokens } from "../access/tokens.ts";
import { PlaneError } from "../error.ts";
import type { PlaneLogs } from "../log/plane-logs.ts";
import { Conflicts } from "./conflicts.ts";
import { type DeviceRow, decodeKeySet, judgedStates, keptOut } from "./device-row.ts";
import { awaitingStatus, statusOf } from "./device-status.ts";
import { EpochRequests } from "./epoch-requests.ts";
import { keySetAt, newestKeySet } from "./key-sets.ts";
import { LedgerHeadNotes } from "./ledger-heads.ts";
import { readEnrolment } from "./read-enrolment.ts";
import { checkRotation } from "./rotation.ts";
import { takeEntry } from "./take-entry.ts";

/** Entries of the fleet log taken in one transaction. */
const batchLength = 1024;

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
  /** New epochs that were asked for. */
  readonly requests: EpochRequests;
  #admitted: { readonly size: number; readonly origins: readonly string[] } = { size: 0, origins: [] };
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
    this.requests = new EpochRequests(parts);
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
    const known = await this.row(origin);
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
    let next = this.#taken;
    if (next >= size) return;
    let batch: Entry[] = [];
    for await (const bytes of this.#logs.fleet.entries(next, size)) {
      batch.push(decodeEntry(bytes));
      if (next + batch.length < size && batch.length < batchLength) continue;
      await this.#take(batch, next);
      next += batch.length;
      batch = [];
    }
  }

  /** Durable together: a fleet of thousands is read anew without waiting for the disk at each device. */
  async #take(entries: readonly Entry[], first: number): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const tokens = new Tokens(tx, this.#clock);
      for (const [i, entry] of entries.entries()) await takeEntry(entry, first + i, tx, tokens);
    });
    this.#taken = Math.max(this.#taken, first + entries.length);
  }

  /** Key set for a checkpoint of that size, or why there is no way in, for the mirror. */
  async admission(origin: string, size: number): Promise<Admission> {
    const row = await this.row(origin);
    if (row === undefined) {
      return (await this.requests.find(origin)) === undefined ? undefined : { awaiting: "nobody has accepted it" };
    }
    const keySet = await keySetAt(this.#db, row, size);
    const reason = keptOut[row.state];
    if (reason === undefined) return keySet;
    const blocked = `${row.state}: ${reason}`;
    return judgedStates.includes(row.state) ? { blocked, judged: keySet } : { blocked };
  }

  /**
   * The keys that open a ledger's sessions.
   *
   * @throws PlaneError `not-found`, `awaiting-acceptance`, `blocked`
   */
  async keySet(origin: string): Promise<KeySet> {
    const row = await this.row(origin);
    if (row === undefined) {
      const named = origin.slice(0, 200);
      if ((await this.requests.find(origin)) === undefined)
        throw new PlaneError("not-found", `${named} is not enrolled here`);
      throw new PlaneError("awaiting-acceptance", `${named} is restored, and awaits acceptance by a person`, {
        hint: "records are kept on the device meanwhile; whoever manages the fleet says: tally device accept",
      });
    }
    const reason = keptOut[row.state];
    if (reason !== undefined && !judgedStates.includes(row.state)) {
      throw new PlaneError("blocked", `${origin} is blocked, ${row.state}: ${reason}`, {
        hint: "an administrator decides what becomes of it: `tally device status`",
      });
    }
    return decodeKeySet(await newestKeySet(this.#db, row));
  }

  /** The newest head of every ledger admitted by the first `fleetSize` entries of the fleet log. */
  async heads(mirror: Pick<Mirror, "log">, fleetSize: number): Promise<readonly HeadLeaf[]> {
    await this.catchUp(fleetSize);
    return this.#notes.leaves(mirror, await this.#admittedBy(fleetSize));
  }

  /** The origins admitted by the first `fleetSize` entries; the same array as long as nobody new is. */
  async #admittedBy(fleetSize: number): Promise<readonly string[]> {
    const { size, origins } = this.#admitted;
    if (fleetSize === size) return origins;
    const from = fleetSize > size ? size : 0;
    const rows = await this.#db.query<{ origin: string }>(
      "SELECT origin FROM device WHERE fleet_index >= ? AND fleet_index < ?",
      [from, fleetSize],
    );
    const added = rows.map(({ origin }) => origin);
    const all = from === 0 ? added : added.length === 0 ? origins : [...origins, ...added];
    this.#admitted = { size: fleetSize, origins: all };
    return all;
  }

  /** Keeps a ledger's newest heads by their sizes, as a heads entry would. */
  async keepHeads(mirror: Pick<Mirror, "log">, origin: string): Promise<void> {
    await this.#notes.leaves(mirror, [origin]);
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
  async onHeard(origin: string): Promise<void> {
    await this.#db.transaction(
      (tx) =>
        tx.run(
          "UPDATE device SET last_sync = ?, state = CASE state WHEN 'enrolled' THEN 'ok' ELSE state END WHERE origin = ?",
          [this.#clock.now(), origin],
        ),
      { synced: false },
    );
  }

  /**
   * A device asks to go on in a new ledger. The session is of one of its ledgers, or the token is an enrolment token.
   *
   * @throws PlaneError `unauthorized`, `not-found`, `bad-request`, `conflict`
   */
  askEpoch(token: string | undefined, deviceId: string, request: EpochRequest, mirror: Pick<Mirror, "log">) {
    const result = this.#turn.then(async (): Promise<EpochResponse> => {
      await this.catchUp();
      const known = await this.row(request.origin);
      const genesis = digestFromHash(hashLeaf(fromBase64(request.genesis)));
      const bearer = token === undefined ? undefined : await this.#tokens.find(token);
      const own = bearer?.origin?.includes(`/d/${deviceId}/`) === true;
      if (!own) await this.#requireTokenFor(token, request.origin);
      if (known?.genesis === genesis) return { origin: request.origin, state: "accepted" };
      const [last] = await this.#db.query<DeviceRow>(
        "SELECT * FROM device WHERE device_id = ? ORDER BY epoch DESC LIMIT 1",
        [deviceId],
      );
      if (last === undefined) throw new PlaneError("not-found", `no device has the id ${deviceId}`);
      await this.requests.ask(request, last, mirror.log(last.origin));
      if (!own) await this.#useToken(token!, request.origin);
      return { origin: request.origin, state: "awaiting" };
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  /**
   * Gives a ledger other keys from a size on, which the old ones hand over to. The same request again changes nothing.
   *
   * @throws PlaneError `bad-request`, `not-found`
   */
  rotate(origin: string, request: RotationRequest, mirror: Pick<Mirror, "log">): Promise<void> {
    const result = this.#turn.then(async () => {
      await this.catchUp();
      const row = await this.row(origin);
      if (row === undefined) throw new PlaneError("not-found", `${origin} is not enrolled here`);
      const parts = { db: this.#db, blobs: this.#blobs };
      const rotation = await checkRotation(request, row, mirror.log(origin), parts);
      if (rotation === undefined) return;
      await this.#logs.append("fleet", { kind: "keys", origin, ...rotation });
      await this.catchUp();
      await this.#tokens.endSessions(origin);
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  /** The checkpoints at which a ledger's keys changed, as digests of their notes, by size. */
  handovers(origin: string): Promise<readonly { readonly size: number; readonly note: Digest }[]> {
    return this.#db.query<{ size: number; note: Digest }>(
      "SELECT handover.size AS size, note FROM handover JOIN device_keys ON device_keys.origin = handover.origin AND from_size = handover.size WHERE handover.origin = ? ORDER BY handover.size",
      [origin],
    );
  }

  /** A token is for one ledger, the one that first used it. */
  async #requireTokenFor(token: string | undefined, origin: string): Promise<void> {
    const used = await this.requireToken(token);
    if (used.origin === null || used.origin === origin) return;
    throw new PlaneError("unauthorized", "the enrolment token has been used", {
      hint: "a token enrols one device, once",
    });
  }

  async #useToken(token: string, origin: string): Promise<void> {
    await this.#db.run("UPDATE enrolment_token SET origin = ? WHERE hash = ?", [origin, hashToken(token)]);
  }

  /** That a diverged ledger can be let in again. @throws PlaneError `conflict` */
  async requireReinstatable(row: DeviceRow, settles: readonly Digest[]): Promise<void> {
    if (row.state !== "diverged") throw new PlaneError("conflict", `${row.origin} is ${row.state}, not diverged`);
    await this.#conflicts.requireSettled(row.origin, settles);
  }

  /** Lets a diverged ledger in again: what was found is answered for, and does not count when it is offered once more. */
  async reinstate(origin: string, settles: readonly Digest[]): Promise<void> {
    await this.#conflicts.settle(origin, settles);
    await this.#db.run("UPDATE device SET state = 'ok' WHERE origin = ? AND state = 'diverged'", [origin]);
  }

  /** Every ledger, in the order of their admission; new epochs that nobody has accepted yet stand last. */
  async status(mirror: Mirror, deviceId?: string): Promise<readonly DeviceStatus[]> {
    const rows = await this.#db.query<DeviceRow>(
      deviceId === undefined
        ? "SELECT * FROM device ORDER BY fleet_index"
        : "SELECT * FROM device WHERE device_id = ? ORDER BY epoch",
      deviceId === undefined ? [] : [deviceId],
    );
    const known = await Promise.all(rows.map((row) => statusOf(this.#db, row, mirror)));
    const asked = await this.requests.list(deviceId);
    return [...known, ...asked.map((row) => awaitingStatus(row, known))];
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

  async row(origin: string): Promise<DeviceRow | undefined> {
    return (await this.#db.query<DeviceRow>("SELECT * FROM device WHERE origin = ?", [origin]))[0];
  }
}
