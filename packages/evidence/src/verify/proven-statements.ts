import { type BundleMember, memberTypes } from "../bundle/index.ts";
import { asHash, type Digest, digestFromHash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { type Envelope, parseEnvelope, subjectDigests, verifyEnvelope } from "../statements/index.ts";
import { identitiesFor, type TrustedAction, type TrustedIdentity } from "../trust/index.ts";
import type { Context } from "./context.ts";
import type { Materials } from "./materials.ts";
import type { PlaneEntry } from "./plane-log.ts";

/** A statement whose envelope, signatures included, the plane's log has committed to. Its signers are checked by use. */
export interface ProvenStatement {
  readonly envelope: Envelope;
  readonly subjects: readonly Digest[];
  /** Index in the plane's log. */
  readonly index: number;
  /** Milliseconds; null without witnesses and plane time. */
  readonly notAfter: number | null;
  readonly member: BundleMember;
  readonly entry: PlaneEntry;
}

const name = "statement";

/** Opens the envelopes of a bundle and finds each in the plane's log. */
export function provenStatements({ log, materials, checklist }: Context): readonly ProvenStatement[] {
  const leaves = new Map<Digest, PlaneEntry>();
  for (const entry of log.entries.values()) {
    if (entry.entry.kind === "statement" && !leaves.has(entry.entry.envelope)) leaves.set(entry.entry.envelope, entry);
  }
  const statements: ProvenStatement[] = [];
  for (const member of materials.list(memberTypes.envelope)) {
    const digest = digestFromHash(asHash(member.digest));
    const found = checklist.attempt(
      name,
      digest,
      () => {
        const entry = leaves.get(digest);
        if (entry === undefined)
          throw new EvidenceError("proof-invalid", "the bundle does not prove it to be in the plane's log");
        const envelope = parseEnvelope(member.bytes);
        const { index, notAfter } = entry;
        return { envelope, subjects: subjectDigests(envelope.statement), index, notAfter, member, entry };
      },
      ({ envelope, index }) => `${envelope.statement.predicateType}, entry ${index} of the plane's log`,
    );
    if (found !== undefined) statements.push(found);
  }
  return statements;
}

export interface SignedBy {
  readonly action: TrustedAction;
  readonly repository: string;
}

/**
 * Who of those that the trust file lets act so has signed. A revoked key counts only where the statement is proven
 * older than the compromise.
 */
export function signersOf(
  statement: ProvenStatement,
  { action, repository }: SignedBy,
  context: Context,
): TrustedIdentity[] {
  const at = statement.notAfter;
  const allowed = identitiesFor(context.trust, { action, repository, ...(at === null ? {} : { atMs: at }) }).filter(
    ({ keyId }) => {
      const revoked = context.fleet.revokedKeys.get(keyId);
      if (revoked === undefined) return true;
      return revoked.compromiseTime !== null && at !== null && at < revoked.compromiseTime;
    },
  );
  return verifyEnvelope(statement.envelope, allowed);
}

export function use(statement: ProvenStatement, materials: Materials): void {
  materials.use(statement.member);
  materials.use(statement.entry.member);
}
