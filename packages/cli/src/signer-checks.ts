import {
  type Digest,
  type Envelope,
  type KeylessSigner,
  type ProvenTime,
  signedWhen,
  type Trust,
  type TrustedAction,
  type TrustedIdentity,
  verifyEnvelope,
  whyNotAllowed,
  whyNotSince,
  whyNotThen,
} from "@tally/evidence";
import { keylessSigners } from "@tally/oci";
import { type Logged, loggedWhen, showBracket } from "./logged-when.ts";
import { keysByTrustFile, type PeopleKeys, readPeopleKeys } from "./people-keys.ts";
import type { PlaneClient } from "./plane-client.ts";

/** One check of a signature's standing, as `tally model verify` has them. */
export interface SignerCheck {
  readonly name: "signer" | "rights" | "log" | "rotation" | "period" | "revocation";
  readonly result: "good" | "bad" | "not made";
  readonly message: string;
}

export interface SignerReport {
  readonly checks: readonly SignerCheck[];
  readonly outcome: SignerCheck["result"];
  /** Who signed, where somebody of the trust file did. */
  readonly by?: string;
}

/** What the signature is for. */
export interface SignedFor {
  /** Null where nobody needs a right to say it. */
  readonly action: TrustedAction | null;
  /** Null where it is about no repository; left out where it is about one that is not known. */
  readonly repository?: string | null;
}

/** What a signature is judged by, besides the trust file. */
export interface SignerWorld {
  readonly trust: Trust;
  /** Whose logs are asked; without one, times and revocations are not known. */
  readonly client?: PlaneClient;
  /** What is known of people's keys, where that was read before. */
  readonly people?: PeopleKeys;
}

/** What the world says of people's keys. @throws what asking the plane throws */
export async function peopleKeys({ client, trust, people }: SignerWorld): Promise<PeopleKeys> {
  if (people !== undefined) return people;
  return client === undefined ? keysByTrustFile(trust, "no plane was asked") : readPeopleKeys(client, trust);
}

/**
 * Whether somebody of the trust file signed an envelope who may, then: by the bracket in which the plane's log proves it to have been
 * logged, by the rotations that the fleet log carried out, and by its revocations. A statement that is not logged has no proven time but
 * now; a keyless signature has that of its own log.
 */
export async function checkSigner(world: SignerWorld, envelope: Envelope, signedFor: SignedFor): Promise<SignerReport> {
  const people = await peopleKeys(world);
  const keyless = await keylessSigners(envelope, world.trust);
  const signers = [...verifyEnvelope(envelope, people.standing.identities), ...keyless.signers];
  if (signers.length > 0) return checkSigners({ ...world, people }, signers, envelope.digest, signedFor);
  const message = `nobody of the trust file signed it${whoElse(envelope, people, keyless.why)}`;
  return reportOf([{ name: "signer", result: "bad", message }]);
}

/**
 * The same of an envelope whose signers are known already.
 *
 * @param envelope its digest; left out for what no log of the plane could hold
 */
export async function checkSigners(
  world: SignerWorld,
  signers: readonly TrustedIdentity[],
  envelope: Digest | undefined,
  signedFor: SignedFor,
): Promise<SignerReport> {
  const { client, trust } = world;
  const people = await peopleKeys(world);
  const logged: Logged =
    client === undefined || envelope === undefined
      ? {
          result: "not made",
          why: `${people.unknown ?? "the plane's log does not have it"}: no time is proven but now`,
        }
      : await loggedWhen(client, trust, envelope);
  const reports = signers.map((identity) => {
    const time = timeOf(identity, logged);
    const checks = [
      { name: "signer", result: "good", message: describe(identity) } as const,
      rights(identity, signedFor),
      logCheck(logged),
      ...rotation(identity, logged),
      period(identity, time),
      revocation(identity, time, people),
    ];
    return reportOf(checks, identity.name);
  });
  return reports.find(({ outcome }) => outcome === "good") ?? reports[0]!;
}

/** Whom the envelope says it is by, and what stands against them. */
function whoElse({ signatures }: Envelope, { standing }: PeopleKeys, keyless: string | undefined): string {
  if (keyless !== undefined) return `; ${keyless}`;
  const claimed = signatures.map(({ keyId }) => keyId).filter((keyId) => keyId !== "");
  const refused = standing.refused.map(({ keyId, why }) => `; a rotation of key ${keyId} was not followed: ${why}`);
  return `${claimed.length === 0 ? "" : `; it names key ${claimed.join(", ")}`}${refused.join("")}`;
}

function describe(identity: TrustedIdentity): string {
  if (!isKeyless(identity)) return `${identity.name}, key ${identity.keyId}`;
  return `${identity.name}, keyless as ${identity.identity}, says ${identity.issuer}`;
}

function isKeyless(identity: TrustedIdentity): identity is KeylessSigner {
  return "issuer" in identity;
}

/** What the log proves, or that it exists now. */
function timeOf(identity: TrustedIdentity, logged: Logged): ProvenTime {
  return signedWhen(identity, logged.result === "good" ? logged.time : { atMs: Date.now(), notBeforeMs: null });
}

function rights(identity: TrustedIdentity, { action, repository }: SignedFor): SignerCheck {
  const name = "rights";
  if (action === null) return { name, result: "good", message: "anybody known may say this" };
  const { may, repositories } = identity;
  if (repository !== undefined && repository !== null) {
    const why = whyNotAllowed(identity, { action, repository });
    if (why !== undefined) return { name, result: "bad", message: `${identity.name} ${why}` };
    return { name, result: "good", message: `may ${action} for ${repository}` };
  }
  if (!may.includes(action)) return { name, result: "bad", message: `${identity.name} may not ${action}` };
  const where = `may ${action} for ${repositories.join(", ")}`;
  if (repository === null || repositories.includes("*")) return { name, result: "good", message: where };
  return { name, result: "not made", message: `${where}; which it is about is not said: give --repository` };
}

function logCheck(logged: Logged): SignerCheck {
  const name = "log";
  if (logged.result !== "good") return { name, result: logged.result, message: logged.why };
  const message = `entry ${logged.index} of the plane's log, ${showBracket(logged.time)}`;
  return { name, result: "good", message };
}

/** Of a key that took another's place: whether it had when it signed. */
function rotation(identity: TrustedIdentity, logged: Logged): readonly SignerCheck[] {
  if (!("since" in identity)) return [];
  const name = "rotation";
  const index = logged.result === "good" ? logged.index : undefined;
  const why = whyNotSince(identity, index);
  if (why !== undefined) return [{ name, result: index === undefined ? "not made" : "bad", message: why }];
  const message = `the key took the place of ${identity.name}'s at entry ${identity.since} of the plane's log, by both keys`;
  return [{ name, result: "good", message }];
}

function period(identity: TrustedIdentity, time: ProvenTime): SignerCheck {
  const { from, until } = identity;
  if (from === undefined && until === undefined) {
    return { name: "period", result: "good", message: "the trust file sets none" };
  }
  const why = whyNotThen(identity, time);
  if (why === undefined) return { name: "period", result: "good", message: "within the period of the trust file" };
  return { name: "period", result: "not made", message: `the key ${why}` };
}

function revocation(identity: TrustedIdentity, { atMs }: ProvenTime, people: PeopleKeys): SignerCheck {
  const name = "revocation";
  const { standing, entries, unknown } = people;
  if (unknown !== undefined) return { name, result: "not made", message: unknown };
  const since = standing.revokedSince(identity);
  if (since === undefined)
    return { name, result: "good", message: `not among the ${entries} entries of the fleet log` };
  if (since === null) return { name, result: "bad", message: "the key is revoked for all that it ever signed" };
  const when = new Date(since).toISOString();
  if (atMs !== undefined && atMs < since) {
    return { name, result: "good", message: `the key is revoked as of ${when}, and this is proven to be older` };
  }
  return { name, result: "bad", message: `the key is revoked as of ${when}, and nothing proves this to be older` };
}

function reportOf(checks: readonly SignerCheck[], by?: string): SignerReport {
  const has = (result: SignerCheck["result"]) => checks.some((check) => check.result === result);
  // A statement may stand without the log, as long as nothing about its signer depends on a time.
  const open = checks.some(({ name, result }) => result === "not made" && name !== "log");
  const outcome = has("bad") ? "bad" : open ? "not made" : "good";
  return { checks, outcome, ...(by !== undefined && { by }) };
}
