import { type Checkpoint, equalBytes, formatSignatureLine, type NoteSigner } from "@tally/evidence";
import type { Clock } from "../clock.ts";
import { LedgerError } from "../error.ts";

/** Cosignature lines and the time they state, in POSIX seconds. */
export interface Cosignatures {
  readonly lines: string;
  readonly time: number;
}

/**
 * One cosigner with one name and a key per signature type: Ed25519 (04) for today's tools, ML-DSA-44 (06) for later.
 *
 * A cosignature says that its tree is the largest seen *as of* its time, so the time is never 0 (which would say nothing)
 * and never goes back, whatever the clock does.
 */
export class Cosigner {
  readonly #signers: readonly NoteSigner[];
  readonly #clock: Clock;
  #latest: number;

  constructor(signers: readonly NoteSigner[], clock: Clock) {
    for (const { key } of signers) {
      if (key.type === 4 || key.type === 6) continue;
      throw new LedgerError("signing-refused", `${key.name}: a key of type ${key.type} cannot cosign`, {
        hint: "use keys of type 04 (Ed25519) or 06 (ML-DSA-44)",
      });
    }
    this.#signers = signers;
    this.#clock = clock;
    this.#latest = 1;
  }

  /** Times at or after `time` only: called with what earlier cosignatures said. */
  notBefore(time: number): void {
    this.#latest = Math.max(this.#latest, time);
  }

  async cosign(checkpoint: Checkpoint): Promise<Cosignatures> {
    this.notBefore(Math.floor(this.#clock.now() / 1000));
    const time = this.#latest;
    const signatures = await Promise.all(this.#signers.map((signer) => signer.sign(checkpoint, time)));
    return { lines: signatures.map((signature) => formatSignatureLine(signature)).join(""), time };
  }
}

/**
 * A witness and a mirror state different things, so no key and no name may serve both (C2SP tlog-mirror; an Ed25519
 * cosignature does not even hold the name). LedgerError `signing-refused`.
 */
export function refuseSharedKeys(witness: readonly NoteSigner[], mirror: readonly NoteSigner[]): void {
  for (const { key } of witness) {
    const shared = mirror.some(
      (other) => other.key.name === key.name || equalBytes(other.key.publicKey, key.publicKey),
    );
    if (!shared) continue;
    throw new LedgerError("signing-refused", `${key.name} is both witness and mirror`, {
      hint: "give the mirror a name and keys of its own",
    });
  }
}
