import {
  type Envelope,
  type KeyRotation,
  parseKeyRotation,
  publicIdentityFromPem,
  publicKeyPem,
  verifyEnvelope,
} from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import { PlaneError } from "../error.ts";
import type { Identities } from "./identities.ts";
import type { RevokedKeys } from "./revoked-keys.ts";

/** A person goes on with another key. */
export interface PersonsRotation extends KeyRotation {
  readonly decision: "rotate";
  readonly envelope: Envelope;
}

/** @throws EvidenceError for what is no such statement */
export function readRotation(envelope: Envelope): PersonsRotation {
  return { decision: "rotate", envelope, ...parseKeyRotation(envelope.statement) };
}

/** Clocks of whoever signs may be slow; a day in the past would take from what the key signed meanwhile. */
const leastMs = -5 * 60_000;
const mostMs = 366 * 86_400_000;

export interface RotationsOptions {
  readonly identities: Identities;
  readonly revoked: RevokedKeys;
  readonly clock: Clock;
}

/** Keys of people that take the place of others: who may say so, and the rights that go over. */
export class Rotations {
  readonly #options: RotationsOptions;

  constructor(options: RotationsOptions) {
    this.#options = options;
  }

  /**
   * That the old key is known and not revoked, that it and the new one have signed, and that nobody else has the new one.
   *
   * @throws PlaneError `forbidden`, `conflict`, `bad-request`
   */
  async requireRotatable({ envelope, oldKeyId, newKey, retiresAt }: PersonsRotation): Promise<void> {
    const { identities, revoked, clock } = this.#options;
    const trust = await identities.trust();
    const old = trust.identities.find(({ keyId }) => keyId === oldKeyId);
    if (old === undefined) {
      throw new PlaneError("forbidden", `key ${oldKeyId} is nobody's whom this plane knows`, {
        hint: "an administrator adds the new key: tally identity add",
      });
    }
    if (await revoked.isAny([oldKeyId])) {
      throw new PlaneError("forbidden", `key ${oldKeyId} is revoked: it names no other in its place`, {
        hint: "an administrator adds the new key: tally identity add",
      });
    }
    if (verifyEnvelope(envelope, [old, newKey]).length !== 2) {
      throw new PlaneError("forbidden", "the old key and the new one have not both signed the rotation", {
        hint: "sign it with both: tally identity rotate --key OLD --new-key NEW",
      });
    }
    const taken = trust.identities.find(({ keyId }) => keyId === newKey.keyId);
    if (taken !== undefined) {
      throw new PlaneError("conflict", `the new key is known already, as ${taken.name}'s`, {
        hint: "make another one",
      });
    }
    const away = retiresAt - clock.now();
    if (away < leastMs || away > mostMs) {
      throw new PlaneError("bad-request", "the old key is to retire at a time that is past, or more than a year away", {
        hint: "a key that was stolen is revoked: tally identity revoke --compromised-at",
      });
    }
  }

  /** The new key may from now on what the old one might. Given again it changes nothing. */
  async admitNewKey({ oldKeyId, newKey }: PersonsRotation): Promise<void> {
    const { identities } = this.#options;
    const all = await identities.list();
    const known = (keyId: string) =>
      all.find(({ key }) => key !== undefined && publicIdentityFromPem(key).keyId === keyId);
    const old = known(oldKeyId);
    if (old === undefined || known(newKey.keyId) !== undefined) return;
    await identities.add({ ...old, key: publicKeyPem(newKey.spki) });
  }
}
