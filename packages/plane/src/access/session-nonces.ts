import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock } from "@tally/ledger";

const lifetime = 60_000;
const macBytes = 32;

/**
 * Nonces that devices sign. None is stored when it is given out, since anyone may ask for any number; a nonce is its expiry, 16
 * random bytes and a MAC over both and the origin, and those that were used are remembered until they expire.
 */
export class SessionNonces {
  readonly #key = randomBytes(32);
  readonly #used = new Map<string, number>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  issue(origin: string): string {
    const body = Buffer.alloc(24);
    body.writeBigUInt64BE(BigInt(this.#clock.now() + lifetime));
    randomBytes(16).copy(body, 8);
    return Buffer.concat([body, this.#mac(origin, body)]).toString("base64url");
  }

  /** Whether the nonce is ours, for this origin, young enough and not used; from now on it is used. */
  use(origin: string, nonce: string): boolean {
    const bytes = Buffer.from(nonce, "base64url");
    if (bytes.length !== 24 + macBytes || bytes.toString("base64url") !== nonce) return false;
    const body = bytes.subarray(0, 24);
    if (!timingSafeEqual(bytes.subarray(24), this.#mac(origin, body))) return false;
    const now = this.#clock.now();
    const expires = Number(body.readBigUInt64BE());
    for (const [used, until] of this.#used) if (until <= now) this.#used.delete(used);
    if (expires <= now || this.#used.has(nonce)) return false;
    this.#used.set(nonce, expires);
    return true;
  }

  #mac(origin: string, body: Uint8Array): Buffer {
    return createHmac("sha256", this.#key).update(body).update(origin).digest();
  }
}
