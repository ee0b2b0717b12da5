import { randomBytes } from "node:crypto";
import { fromBase64, type KeySet, sessionMessage, utf8, verifyEcdsa, verifyEd25519 } from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import { PlaneError } from "../error.ts";
import type { Tokens } from "./tokens.ts";

const nonceLifetimeMs = 60_000;
const maxNonces = 10_000;
const sessionLifetimeMs = 3_600_000;

/** Devices sign a nonce and get a token for an hour. Nonces are for one origin, one use, one minute. */
export class Sessions {
  readonly #tokens: Tokens;
  readonly #clock: Clock;
  readonly #nonces = new Map<string, { readonly origin: string; readonly expires: number }>();

  constructor(tokens: Tokens, clock: Clock) {
    this.#tokens = tokens;
    this.#clock = clock;
  }

  nonce(origin: string): string {
    const now = this.#clock.now();
    for (const [old, { expires }] of this.#nonces) {
      if (expires > now && this.#nonces.size < maxNonces) break;
      this.#nonces.delete(old);
    }
    const nonce = randomBytes(32).toString("base64url");
    this.#nonces.set(nonce, { origin, expires: now + nonceLifetimeMs });
    return nonce;
  }

  /** @throws PlaneError `unauthorized` */
  async open(
    origin: string,
    nonce: string,
    signature: string,
    keySet: KeySet,
  ): Promise<{ token: string; expires: number }> {
    const asked = this.#nonces.get(nonce);
    this.#nonces.delete(nonce);
    if (asked === undefined || asked.origin !== origin || asked.expires <= this.#clock.now()) {
      throw new PlaneError("unauthorized", "the nonce is unknown, used or too old", { hint: "ask for a new one" });
    }
    if (!verifies(keySet, utf8(sessionMessage(origin, nonce)), signature)) {
      throw new PlaneError("unauthorized", `the signature is not of the key of ${origin}`);
    }
    return this.#tokens.create({ role: "device", repository: "*", origin }, sessionLifetimeMs);
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
