import { formatTlogProof, type LeafHash, type RecordReference } from "@tally/evidence";
import type { DeviceCore } from "./device-core.ts";
import { EdgeError } from "./error.ts";
import type { RecordPlace } from "./recorder/recorder.ts";

/**
 * What proves a record: `synced`, everything up to the plane's witnessed checkpoint; `unsynced`, that this device's own
 * signed ledger holds it, which only this device knows so far.
 */
export type Receipt =
  | { readonly status: "unsynced"; readonly entry: Uint8Array; readonly tlogProof: string }
  | { readonly status: "synced"; readonly mediaType: string; readonly bytes: Uint8Array };

/** One record in the device's ledger. */
export interface DeviceRecord extends RecordReference {
  /** Index of its load entry. */
  readonly loadIndex: number;
  /** From 0, under that load. */
  readonly ordinal: number;
  /** Seals the ledger if need be. @throws EdgeError `record-failed` when the record cannot be sealed */
  receipt(): Promise<Receipt>;
}

/** Gets a receipt from the plane, where it has the record; undefined where it has not or is not reachable. */
export type SyncedReceipts = (index: number) => Promise<Receipt | undefined>;

export function deviceRecord(core: DeviceCore, place: RecordPlace, synced: SyncedReceipts): DeviceRecord {
  return new WrittenRecord(core, place, synced);
}

/** Says what its place says when it is asked: there is one for every output, and few are asked. */
class WrittenRecord implements DeviceRecord {
  readonly #core: DeviceCore;
  readonly #place: RecordPlace;
  readonly #synced: SyncedReceipts;

  constructor(core: DeviceCore, place: RecordPlace, synced: SyncedReceipts) {
    this.#core = core;
    this.#place = place;
    this.#synced = synced;
  }

  get origin(): string {
    return this.#core.ledger.origin;
  }

  get index(): number {
    return this.#place.index;
  }

  get leaf(): LeafHash {
    return this.#place.leaf;
  }

  get loadIndex(): number {
    return this.#place.loadIndex;
  }

  get ordinal(): number {
    return this.#place.ordinal;
  }

  receipt(): Promise<Receipt> {
    return receiptOf(this.#core, this.index, this.#synced);
  }
}

/** A receipt for any entry of the device's ledger. */
export async function receiptOf({ ledger }: DeviceCore, index: number, synced: SyncedReceipts): Promise<Receipt> {
  if (index >= ledger.nextIndex) {
    throw new EdgeError("request-invalid", `${ledger.origin} has no entry ${index}`, {
      hint: `the last one is ${ledger.nextIndex - 1}`,
    });
  }
  const whole = await synced(index);
  if (whole !== undefined) return whole;
  let latest = ledger.latest;
  if (latest === undefined || latest.checkpoint.size <= index) latest = await ledger.seal();
  const entry = await ledger.entry(index);
  const hashes = await ledger.inclusionProof(index, latest.checkpoint.size);
  return { status: "unsynced", entry, tlogProof: formatTlogProof({ index, hashes, checkpoint: latest.note }) };
}
