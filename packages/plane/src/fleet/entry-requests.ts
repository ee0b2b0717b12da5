import { type EntryRequest, fromUtf8, type OpenEntryRequest, toBase64 } from "@tally/evidence";
import type { Clock, Mirror } from "@tally/ledger";
import type { Database } from "@tally/oci";
import { PlaneError } from "../error.ts";
import type { Fleet } from "./fleet.ts";

interface Row {
  readonly up_to: number;
  readonly end_size: number;
  readonly at: number;
}

export interface EntryRequestsParts {
  readonly db: Database;
  readonly fleet: Pick<Fleet, "originOf" | "note" | "keepHeads">;
  readonly mirror: Pick<Mirror, "log" | "ticket">;
  readonly clock: Clock;
}

/** More than a device is asked for before it has answered any. */
const maxOpen = 64;

/**
 * What devices are asked for that send heads only. A mirror holds beginnings of ledgers (C2SP tlog-mirror), so a request names how
 * far: the device meets it by `add-entries` up to the first checkpoint kept that covers it, which need not be the newest. Whether it
 * has been met follows from the mirror.
 */
export class EntryRequests {
  readonly #parts: EntryRequestsParts;

  constructor(parts: EntryRequestsParts) {
    this.#parts = parts;
  }

  /**
   * Asks for entries [0, to) of a device's newest ledger; null: for all that heads cover. The same again changes nothing.
   *
   * @throws PlaneError `not-found` for an unknown device, `conflict` for what no head covers and for too many requests.
   */
  async add(deviceId: string, to: number | null): Promise<EntryRequest> {
    const { db, fleet, mirror, clock } = this.#parts;
    const origin = await fleet.originOf(deviceId);
    await fleet.keepHeads(mirror, origin);
    const [{ newest } = { newest: null }] = await db.query<{ newest: number | null }>(
      "SELECT MAX(size) AS newest FROM device_note WHERE origin = ?",
      [origin],
    );
    const upTo = to ?? newest ?? 0;
    const [{ end } = { end: null }] = await db.query<{ end: number | null }>(
      "SELECT MIN(size) AS end FROM device_note WHERE origin = ? AND size >= ?",
      [origin, upTo],
    );
    if (newest === null || end === null) {
      throw new PlaneError("conflict", `no head of ${origin} covers ${upTo} entries: the newest has ${newest ?? 0}`, {
        hint: "ask for fewer, or wait until the device has sent its next head",
      });
    }
    if ((await this.#open(origin)).length >= maxOpen) {
      throw new PlaneError("conflict", `${origin} has ${maxOpen} requests to meet already`, {
        hint: "one that reaches further covers those before it",
      });
    }
    await db.run("INSERT INTO entry_request (origin, up_to, end_size, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", [
      origin,
      upTo,
      end,
      clock.now(),
    ]);
    return (await this.#list(origin)).find((request) => request.to === upTo)!;
  }

  /** Of a device's newest ledger, oldest first. @throws PlaneError `not-found` */
  async list(deviceId: string): Promise<readonly EntryRequest[]> {
    return this.#list(await this.#parts.fleet.originOf(deviceId));
  }

  /** The next one that a ledger has to meet: the one that reaches least far. */
  async next(origin: string): Promise<OpenEntryRequest> {
    const [request] = await this.#open(origin);
    if (request === undefined) return { request: null };
    const { end } = request;
    const { fleet, mirror } = this.#parts;
    const note = await fleet.note(origin, end);
    if (note === undefined) throw new PlaneError("internal", `the checkpoint of size ${end} of ${origin} is not there`);
    const ticket = toBase64(mirror.ticket(origin, fromUtf8(note)));
    return { request: { end, nextEntry: mirror.log(origin)?.nextEntry ?? 0, ticket } };
  }

  async #open(origin: string): Promise<readonly EntryRequest[]> {
    const open = (await this.#list(origin)).filter(({ delivered }) => !delivered);
    return open.sort((a, b) => a.end - b.end);
  }

  async #list(origin: string): Promise<readonly EntryRequest[]> {
    const rows = await this.#parts.db.query<Row>(
      "SELECT up_to, end_size, at FROM entry_request WHERE origin = ? ORDER BY at, up_to",
      [origin],
    );
    const held = this.#parts.mirror.log(origin)?.mirrored?.checkpoint.size ?? 0;
    return rows.map(({ up_to: to, end_size: end, at }) => ({ origin, to, end, askedAt: at, delivered: end <= held }));
  }
}
