import {
  type Digest,
  decodeEntry,
  type Envelope,
  EvidenceError,
  KeyStanding,
  keyRotationType,
  type LoggedEnvelope,
  type PersonsRevocation,
  parseEnvelope,
  parseKeyRotation,
  type Trust,
} from "@tally/evidence";
import { readFleetEntries } from "./fleet-log.ts";
import { loggedWhen } from "./logged-when.ts";
import type { PlaneClient } from "./plane-client.ts";

/** People's keys by a trust file and the plane's logs. */
export interface PeopleKeys {
  readonly standing: KeyStanding;
  /** How many entries of the fleet log it goes by. */
  readonly entries: number;
  /** Why nothing is known about revocations; the trust file's own keys are all that is known then. */
  readonly unknown?: string;
}

/** What is known of people's keys by the trust file alone. */
export function keysByTrustFile(trust: Trust, unknown: string): PeopleKeys {
  return { standing: new KeyStanding(trust, [], new Map()), entries: 0, unknown };
}

/**
 * Reads the plane's fleet log, whole and verified, and follows the rotations that it carries out to their statements in the plane's
 * log. Nothing is the plane's bare word: revocations are entries under a cosigned checkpoint, rotations are signed by both keys.
 */
export async function readPeopleKeys(client: PlaneClient, trust: Trust): Promise<PeopleKeys> {
  let entries: readonly Uint8Array[];
  try {
    entries = await readFleetEntries(client, trust);
    const revocations = revocationsIn(entries);
    const rotations = await rotationsOf(client, trust, revocations);
    return { standing: new KeyStanding(trust, revocations, rotations), entries: entries.length };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return keysByTrustFile(trust, `the fleet log does not hold: ${error.message}`);
  }
}

/** Revocations of people's keys, in the log's order. @throws EvidenceError where an entry is not understood */
export function revocationsIn(entries: readonly Uint8Array[]): readonly PersonsRevocation[] {
  return entries.flatMap((bytes, i) => {
    const entry = decodeEntry(bytes);
    // Whatever it says might be a revocation.
    if (entry.kind === "not-understood") throw new EvidenceError("entry-invalid", `entry ${i} is not understood`);
    if (entry.kind !== "revoke" || entry.origin !== null) return [];
    return [{ keyId: entry.keyId, compromiseTime: entry.compromiseTime, statement: entry.statement }];
  });
}

/** The rotations among the statements that revocations of known keys name, and of keys that came so. */
async function rotationsOf(
  client: PlaneClient,
  trust: Trust,
  revocations: readonly PersonsRevocation[],
): Promise<ReadonlyMap<Digest, LoggedEnvelope>> {
  const known = new Set(trust.identities.map(({ keyId }) => keyId));
  const rotations = new Map<Digest, LoggedEnvelope>();
  for (const { keyId, statement } of revocations) {
    if (!known.has(keyId)) continue;
    const envelope = await statementOf(client, statement);
    if (envelope?.statement.predicateType !== keyRotationType) continue;
    const logged = await loggedWhen(client, trust, statement);
    if (logged.result !== "good") continue;
    rotations.set(statement, { envelope, index: logged.index, time: logged.time });
    try {
      known.add(parseKeyRotation(envelope.statement).newKey.keyId);
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
    }
  }
  return rotations;
}

/** The statement, where the plane gives it; what it withholds can only leave a key revoked that would go on as another. */
async function statementOf(client: PlaneClient, digest: Digest): Promise<Envelope | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await client.bytes(`/api/v1/statements/${digest}`);
  } catch (error) {
    if ((error as { code?: string }).code === "not-found") return undefined;
    throw error;
  }
  const envelope = parseEnvelope(bytes);
  return envelope.digest === digest ? envelope : undefined;
}
