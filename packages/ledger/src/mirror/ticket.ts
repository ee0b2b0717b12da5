import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { concatBytes, fromUtf8, utf8 } from "@tally/evidence";
import { LedgerError } from "../error.ts";
import { type Files, writeDurably } from "../files/index.ts";

const MAC_BYTES = 32;
const LABEL = "tally/upload-ticket/v1";

/**
 * Tickets let an upload go on to a checkpoint that has meanwhile been overtaken, without the mirror remembering it:
 *
 *     ticket = HMAC-SHA256(key, label ‖ 0 ‖ origin ‖ 0 ‖ note)[32] ‖ note
 *
 * The note was a verified pending checkpoint when its ticket was made. All pending checkpoints of a log are consistent, so it
 * stays good.
 */
export class Tickets {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** The mirror's own key, made when there is none. */
  static async open(files: Files, path: string): Promise<Tickets> {
    const stored = await files.readWhole(path);
    if (stored !== undefined && stored.length !== MAC_BYTES) {
      throw new LedgerError("damaged", `${path} has ${stored.length} bytes, not ${MAC_BYTES}`, {
        hint: "remove it: uploads in flight then start from the newest checkpoint",
      });
    }
    if (stored !== undefined) return new Tickets(stored);
    const key = new Uint8Array(randomBytes(MAC_BYTES));
    await writeDurably(files, path, key);
    return new Tickets(key);
  }

  issue(origin: string, note: string): Uint8Array {
    return concatBytes(this.#mac(origin, utf8(note)), utf8(note));
  }

  /** The note in a ticket that this mirror issued for this origin; undefined for any other bytes. */
  redeem(origin: string, ticket: Uint8Array): string | undefined {
    if (ticket.length <= MAC_BYTES) return undefined;
    const note = ticket.subarray(MAC_BYTES);
    if (!timingSafeEqual(this.#mac(origin, note), ticket.subarray(0, MAC_BYTES))) return undefined;
    return fromUtf8(note);
  }

  #mac(origin: string, note: Uint8Array): Uint8Array {
    return createHmac("sha256", this.#key).update(`${LABEL}\0${origin}\0`).update(note).digest();
  }
}
