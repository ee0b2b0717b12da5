import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { fromBase64, type KeySet, sessionMessage, utf8, verifyEcdsa, verifyEd25519 } from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import { PlaneError } from "../error.ts";
import type { Tokens } from "./tokens.ts";

const nonceLifetimeMs = 60_000;
const sessionLifetimeMs = 3_600_000;
const bodyBytes = 24;

/**
 * Devices sign a nonce and get a token for an hour. Nonces are for one origin, one use, one minute. Anyone may ask for any number
 * of them, so none is kept when it is given out:
 *
 *     nonce = u64 expiry in ms ‖ random[16] ‖ HMAC-SHA256(key, these ‖ origin)[32], in base64url
 *
 * Those that were used are kept until they expire.
 */
export class Sessions {
  readonly #tokens: Tokens;
  readonly #clock: Clock;
  readonly #key = randomBytes(32);
  readonly #used = new Map<string, number>();

  constructor(tokens: Tokens, clock: Clock) {
    this.#tokens = tokens;
    this.#clock = clock;
  }

  nonce(origin: string): string {
    const body = Buffer.alloc(bodyBytes);
    body.writeBigUInt64BE(BigInt(this.#clock.now() + nonceLifetimeMs));
    randomBytes(16).copy(body, 8);
    return Buffer.concat([body, this.#mac(body, origin)]).toString("base64url");
  }

  /** @throws PlaneError `unauthorized` */
  async open(
    origin: string,
    nonce: string,
    signature: string,
    keySet: KeySet,
  ): Promise<{ token: string; expires: number }> {
    const expires = this.#expiryOf(origin, nonce);
    if (expires === undefined) {
      throw new PlaneError("unauthorized", "the nonce is unknown, used or too old", { hint: "ask for a new one" });
    }
    // Only what the device has signed is remembered: strangers with nonces of its origin cost no memory.
    if (!verifies(keySet, utf8(sessionMessage(origin, nonce)), signature)) {
      throw new PlaneError("unauthorized", `the signature is not of the key of ${origin}`);
    }
    this.#use(nonce, expires);
    return this.#tokens.create({ role: "device", repository: "*", origin }, sessionLifetimeMs);
  }

  /** When the nonce expires, if it is ours, of this origin, young enough and unused. */
  #expiryOf(origin: string, nonce: string): number | undefined {
    const bytes = Buffer.from(nonce, "base64url");
    const body = bytes.subarray(0, bodyBytes);
    const mac = bytes.subarray(bodyBytes);
    if (mac.length !== 32 || bytes.toString("base64url") !== nonce) return undefined;
    if (!timingSafeEqual(mac, this.#mac(body, origin))) return undefined;
    const expires = Number(body.readBigUInt64BE());
    return expires <= this.#clock.now() || this.#used.has(nonce) ? undefined : expires;
  }

  #use(nonce: string, expires: number): void {
    const now = this.#clock.now();
    for (const [used, until] of this.#used) if (until <= now) this.#used.delete(used);
    this.#used.set(nonce, expires);
  }

  #mac(body: Uint8Array, origin: string): Buffer {
    return createHmac("sha256", this.#key).update(body).update(origin).digest();
  }
}

function verifies(keySet: KeySet, message: Uint8Array, signature: string): boolean {
  const key = keySet.find(({ type }) => type === 1 || type === 2);
  if (key === undefined) return false;
  try {
    const bytes = fromBase64(signature);
    return key.type === 1
      ? verifyEd25519(key.publicKey, message, bytes)
      : verifyEcdsa(key.publicKey, "sha256", message, bytes);
  } catch {
    return false;
  }
}
