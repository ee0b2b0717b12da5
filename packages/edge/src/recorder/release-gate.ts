import { join } from "node:path";
import type { Appended, Ledger } from "@tally/ledger";
import type { ReleaseMode } from "../config.ts";
import type { EdgeError } from "../error.ts";
import { readIfPresent, removeDurably, writeDurably } from "../folder/durable-file.ts";
import { asCount, parseObject } from "../folder/json.ts";
import { storageError } from "./storage-error.ts";

/** Outputs that may have left the device in `immediate` mode before their records are durable. */
const block = 1024;

/**
 * Lets an output go when its record is as safe as the release mode demands.
 *
 * In `immediate` mode a count is reserved durably before the first output: never more than that many are out at once
 * without a durable record, so after an unclean stop "at most n are missing" is true.
 */
export class ReleaseGate {
  readonly mode: ReleaseMode;
  readonly #ledger: Ledger;
  readonly #path: string;
  #out = 0;
  /** Of the group that records join now: how many of them count as out. */
  #group: { readonly committed: Promise<void>; count: number } | undefined;

  private constructor(mode: ReleaseMode, ledger: Ledger, path: string) {
    this.mode = mode;
    this.#ledger = ledger;
    this.#path = path;
  }

  /** Reserves, where the mode needs it. Call after what the last run left was told (`leftOver`). */
  static async open(mode: ReleaseMode, ledger: Ledger, stateFolder: string): Promise<ReleaseGate> {
    const gate = new ReleaseGate(mode, ledger, reservationPath(stateFolder));
    if (mode === "immediate") await writeDurably(gate.#path, `${JSON.stringify({ atMost: block })}\n`);
    else await removeDurably(gate.#path);
    return gate;
  }

  /** How many records an unclean stop may have lost. */
  static async leftOver(stateFolder: string): Promise<number> {
    const path = reservationPath(stateFolder);
    const bytes = await readIfPresent(path);
    if (bytes === undefined) return 0;
    const { atMost } = parseObject(new TextDecoder().decode(bytes), path, "damaged");
    return asCount(atMost, `${path}: atMost`, "damaged");
  }

  /**
   * Resolves with `result` when the output may be released. One promise for each caller: each of the five that `async` all the
   * way took was 0.3 µs, and as much again to collect (measured).
   *
   * @throws EdgeError `record-failed`: the record is not safe, and the output must not be used.
   */
  release<T>(record: Appended, result: T): Promise<T> {
    if (this.mode === "immediate" && this.#reserve(record.committed)) return Promise.resolve(result);
    const { committed } = record;
    const safe = this.mode === "sealed" ? committed.then(() => this.#ledger.seal()) : committed;
    return safe.then(
      () => result,
      (cause) => {
        throw notSafe(record, cause);
      },
    );
  }

  /** Outputs that were released and whose records are not durable. */
  get outstanding(): number {
    return this.#out;
  }

  /** So many of them are told of in the ledger: they no longer count against the reservation. */
  forget(count: number): void {
    this.#out -= count;
  }

  /** Gives the reservation back. Call when everything is durable. */
  async close(): Promise<void> {
    if (this.mode === "immediate") await removeDurably(this.#path);
  }

  /** Counts an output as out until its group is durable; false when the reservation is used up. */
  #reserve(committed: Promise<void>): boolean {
    this.#out += 1;
    if (this.#group?.committed === committed) this.#group.count += 1;
    else {
      const group = { committed, count: 1 };
      this.#group = group;
      // A failed commit stays counted and the ledger refuses the next record.
      committed.then(
        () => {
          this.#out -= group.count;
        },
        () => {},
      );
    }
    return this.#out < block;
  }
}

function notSafe({ index }: Appended, cause: unknown): EdgeError {
  return storageError(cause, `record ${index} is not safe`);
}

function reservationPath(stateFolder: string): string {
  return join(stateFolder, "outstanding.json");
}
