import type { Digest } from "../digest.ts";
import type { Revoke } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { type Envelope, keyRotationType, parseKeyRotation, verifyEnvelope } from "../statements/index.ts";
import type { TrustedIdentity } from "../trust/index.ts";
import { Missing } from "./check.ts";
import type { Context } from "./context.ts";

/** A key that took the place of one of the trust file's, with the rights of that one. */
export interface RotatedIdentity extends TrustedIdentity {
  /** Entry of the plane's log that put it there: what it signed before counts for nothing. */
  readonly since: number;
}

export type KnownIdentity = TrustedIdentity | RotatedIdentity;

const name = "key rotation";

/**
 * The identities of the trust file, and the keys with which they went on. A rotation counts where the fleet log carries it out, where
 * both keys signed it, and where the old one's signature on it holds: its period, and every revocation but this one.
 *
 * @param holds why the old key's signature on that statement does not hold, if it does not
 */
export function withRotatedKeys<Said extends { readonly envelope: Envelope; readonly index: number }>(
  { trust, fleet, checklist }: Context,
  find: (statement: Digest) => Said | undefined,
  holds: (identity: KnownIdentity, statement: Said, revocations: readonly Revoke[]) => string | undefined,
): readonly KnownIdentity[] {
  const known: KnownIdentity[] = [...trust.identities];
  const revocations = fleet.decisions.filter((entry) => entry.kind === "revoke" && entry.origin === null) as Revoke[];
  for (const entry of revocations) {
    const found = find(entry.statement);
    if (found?.envelope.statement.predicateType !== keyRotationType) continue;
    const old = known.filter(({ keyId }) => keyId === entry.keyId);
    if (old.length === 0) continue;
    const who = old[0]!.name;
    const others = revocations.filter(({ keyId, statement }) => keyId === entry.keyId && statement !== entry.statement);
    const added = checklist.attempt(
      name,
      `${who}, key ${entry.keyId}`,
      () => {
        const { newKey, retiresAt, oldKeyId } = parseKeyRotation(found.envelope.statement);
        if (oldKeyId !== entry.keyId) throw broken("the statement that the entry names is about another key");
        if (retiresAt !== entry.compromiseTime) throw broken("the statement names another time than the fleet log");
        const signed = verifyEnvelope(found.envelope, [old[0]!, newKey]);
        if (signed.length !== 2) throw broken("the old key and the new one have not both signed it");
        const standing = old.filter((identity) => holds(identity, found, others) === undefined);
        if (standing.length === 0) {
          throw new Missing(`the old key's signature does not count: ${who} ${holds(old[0]!, found, others)}`);
        }
        const taken = known.find(({ keyId, name: other }) => keyId === newKey.keyId && other !== who);
        if (taken !== undefined) throw broken(`the new key is ${taken.name}'s`);
        return standing.map((identity) => ({ ...identity, ...newKey, since: found.index }));
      },
      ([first]) => `goes on with key ${first!.keyId} from entry ${found.index} of the plane's log on`,
    );
    known.push(...(added ?? []));
  }
  return known;
}

function broken(what: string): EvidenceError {
  return new EvidenceError("statement-invalid", what);
}
