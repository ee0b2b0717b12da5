import type { Digest } from "../digest.ts";
import type { Revoke } from "../entries/index.ts";
import { type Envelope, keyRotationType } from "../statements/index.ts";
import { followRotation, type KnownIdentity } from "../trust/index.ts";
import { Missing } from "./check.ts";
import type { Context } from "./context.ts";

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
        const followed = followRotation(known, entry, found, (identity) => holds(identity, found, others));
        if ("notCounting" in followed) throw new Missing(followed.notCounting);
        return followed.added;
      },
      ([first]) => `goes on with key ${first!.keyId} from entry ${found.index} of the plane's log on`,
    );
    known.push(...(added ?? []));
  }
  return known;
}
