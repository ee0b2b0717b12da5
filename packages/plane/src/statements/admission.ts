import {
  type Envelope,
  matchesRepository,
  parseEnvelope,
  type Role,
  type Trust,
  type TrustedIdentity,
  whyNotAllowed,
  whyNotThen,
} from "@tally/evidence";
import { isKeyless, keylessSigners } from "@tally/oci";
import { PlaneError } from "../error.ts";
import { mayBring, type PredicateRule, ruleOf } from "./predicate-rules.ts";
import { knownSigners } from "./signers.ts";

/** Bytes of an envelope, at most. */
export const maxEnvelopeBytes = 1024 * 1024;
const maxSubjects = 10_000;

/** Who brings a statement: whoever holds a token, not necessarily who signed. */
export interface Bringer {
  readonly role: Role;
  /** The token's pattern of repositories. */
  readonly repository: string;
}

/** A statement that can be read and that its bringer may bring. Whether its signer may say it is the next question. */
export interface OfferedStatement {
  readonly envelope: Envelope;
  readonly rule: PredicateRule;
}

/** @throws PlaneError `too-large`, `bad-request`, `forbidden` */
export function readOffer(bytes: Uint8Array, role: Role): OfferedStatement {
  if (bytes.length > maxEnvelopeBytes) {
    throw new PlaneError("too-large", `the envelope has ${bytes.length} bytes; at most ${maxEnvelopeBytes} are taken`, {
      hint: "name large things by their digest, and push them to the registry",
    });
  }
  const envelope = orBadRequest("this is no envelope with a statement", () => parseEnvelope(bytes));
  const { predicateType, subject } = envelope.statement;
  const rule = ruleOf(predicateType);
  if (!mayBring(role, rule)) {
    throw new PlaneError("forbidden", `a ${role} may not add statements of type ${predicateType}`, {
      hint: `it takes a token of one of these roles: ${["admin", ...rule.roles].join(", ")}`,
    });
  }
  if (subject.length > maxSubjects) {
    throw new PlaneError(
      "bad-request",
      `the statement has ${subject.length} subjects; at most ${maxSubjects} are taken`,
      {
        hint: "make it several statements, or one about a manifest that names the files",
      },
    );
  }
  orBadRequest(`this is no statement of type ${predicateType}`, () => rule.parse(envelope.statement));
  return { envelope, rule };
}

/** The known identities that signed. @throws PlaneError `forbidden` naming the key ids where there is none */
export async function requireKnownSigner(envelope: Envelope, trust: Trust): Promise<readonly TrustedIdentity[]> {
  const signers = await knownSigners(envelope, trust);
  if (signers.length > 0) return signers;
  if (isKeyless(envelope)) {
    const why = (await keylessSigners(envelope, trust)).why ?? "this plane knows no keyless identities";
    throw new PlaneError("forbidden", `the statement is signed keyless, by nobody whom this plane knows: ${why}`, {
      hint: "an administrator adds the identity: tally identity add --certificate-identity",
    });
  }
  const claimed = envelope.signatures.map(({ keyId }) => keyId);
  const known = trust.identities.find(({ keyId }) => claimed.includes(keyId));
  if (known !== undefined) {
    throw new PlaneError(
      "forbidden",
      `the signature that names key ${known.keyId} of ${known.name} does not verify with that key`,
      { hint: "sign the statement again: its bytes or its signature were changed" },
    );
  }
  const keys = claimed.filter((keyId) => keyId !== "");
  const who = keys.length === 0 ? "a key that the envelope does not name" : `key ${keys.join(", ")}`;
  throw new PlaneError("forbidden", `the statement is signed by ${who}, which this plane does not know`, {
    hint: "an administrator adds the key to the identities: POST /api/v1/identities",
  });
}

/**
 * That one of the signers may say this, in one of the repositories where they are known, and that the bringer's token
 * reaches there.
 *
 * @throws PlaneError `forbidden`
 */
export function requireRights(
  { envelope, rule }: OfferedStatement,
  signers: readonly TrustedIdentity[],
  repositories: readonly string[],
  { bringer, atMs }: { readonly bringer: Bringer; readonly atMs: number },
): void {
  const where = repositories.length === 0 ? "" : ` for ${repositories.join(", ")}`;
  if (repositories.length > 0 && !repositories.some((name) => matchesRepository(bringer.repository, name))) {
    throw new PlaneError("forbidden", `this token is for ${bringer.repository}; the statement is${where}`);
  }
  const { action } = rule;
  if (action === null) return;
  const able = (signer: TrustedIdentity) => {
    if (whyNotThen(signer, { atMs }) !== undefined) return false;
    if (repositories.length === 0) return signer.may.includes(action);
    return repositories.some((repository) => whyNotAllowed(signer, { action, repository }) === undefined);
  };
  if (signers.some(able)) return;
  const names = [...new Set(signers.map(({ name }) => name))].join(" and ");
  const late = signers
    .filter(({ may }) => may.includes(action))
    .map((signer) => whyNotThen(signer, { atMs }))
    .find((why) => why !== undefined);
  if (late !== undefined) {
    throw new PlaneError("forbidden", `${names} may not ${action} now: the key ${late.split(";")[0]}`, {
      hint: "sign with a key that counts now; an administrator changes the period: tally identity add --from --until",
    });
  }
  throw new PlaneError("forbidden", `${names} may not ${action}${where}: ${envelope.statement.predicateType}`, {
    hint: `it takes an identity with "${action}" among what it may`,
  });
}

function orBadRequest<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new PlaneError("bad-request", `${what}: ${(cause as Error).message}`, { cause });
  }
}
