import { join } from "node:path";
import {
  type Digest,
  decodeEntry,
  EvidenceError,
  hashLeaf,
  KeyStanding,
  keyRotationType,
  type LoggedEnvelope,
  openFleetCheckpoint,
  type PersonsRevocation,
  parseDigest,
  type Trust,
  utf8,
  verifyInclusion,
} from "@tally/evidence";
import { EdgeError } from "../error.ts";
import { readIfPresent, writeDurably } from "../folder/durable-file.ts";
import { asList, asObject, asText, parseObject } from "../folder/json.ts";
import type { PlaneCheckpoint } from "../sync/plane-checkpoint.ts";
import type { ChannelAnswer } from "./channel-answer.ts";
import { loggedWhen } from "./logged-when.ts";

/**
 * Revocations of people's keys that an answer proves to be in the fleet log.
 *
 * @throws EdgeError `plane-untrusted` where one is not
 */
export function provenRevocations({ people }: ChannelAnswer, trust: Trust): readonly PersonsRevocation[] {
  if (people === undefined) return [];
  try {
    const { size, root } = openFleetCheckpoint(utf8(people.checkpoint), trust);
    return [...people.revocations]
      .sort((a, b) => a.index - b.index)
      .map(({ index, entry, proof }) => {
        verifyInclusion(index, size, hashLeaf(entry), [...proof], root);
        const said = decodeEntry(entry);
        if (said.kind !== "revoke" || said.origin !== null) {
          throw new EvidenceError("proof-invalid", `entry ${index} of the fleet log revokes nobody's key`);
        }
        return { keyId: said.keyId, compromiseTime: said.compromiseTime, statement: said.statement };
      });
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw new EdgeError("plane-untrusted", `revocations are not proven to be in the fleet log: ${cause.message}`, {
      cause,
      hint: "keep the answer as evidence, and ask the operator",
    });
  }
}

/**
 * Whose keys count, by the trust file and what is known of them since. Rotations are the statements of the answer that revocations name;
 * one that is withheld leaves its key revoked.
 */
export function keyStanding(
  trust: Trust,
  answer: ChannelAnswer,
  revocations: readonly PersonsRevocation[],
  checkpoint: PlaneCheckpoint,
): KeyStanding {
  const rotations = new Map<Digest, LoggedEnvelope>();
  for (const statement of answer.statements) {
    const { envelope, index } = statement;
    if (envelope.statement.predicateType !== keyRotationType) continue;
    rotations.set(envelope.digest, { envelope, index, time: loggedWhen(statement, checkpoint, trust) });
  }
  return new KeyStanding(trust, revocations, rotations);
}

/** What this device has once seen revoked stays revoked for it, whatever the plane shows later. */
export async function readRevocations(stateFolder: string): Promise<readonly PersonsRevocation[]> {
  const bytes = await readIfPresent(revocationsPath(stateFolder));
  if (bytes === undefined) return [];
  const root = parseObject(new TextDecoder().decode(bytes), "the revocations", code);
  return asList(root.revocations, "revocations", code).map((value) => {
    const { keyId, compromiseTime, statement } = asObject(value, "a revocation", code);
    if (compromiseTime !== null && typeof compromiseTime !== "number") {
      throw new EdgeError(code, "the revocations of this folder cannot be read: a time is no number");
    }
    return {
      keyId: asText(keyId, "keyId", code),
      compromiseTime,
      statement: parseDigest(asText(statement, "statement", code)),
    };
  });
}

/** Adds revocations to those that are kept. @returns all of them, each once, those kept first */
export async function keepRevocations(
  stateFolder: string,
  found: readonly PersonsRevocation[],
): Promise<readonly PersonsRevocation[]> {
  const kept = await readRevocations(stateFolder);
  const known = new Set(kept.map(identify));
  const added = found.filter((revocation) => !known.has(identify(revocation)));
  if (added.length === 0) return kept;
  const revocations = [...kept, ...added];
  await writeDurably(revocationsPath(stateFolder), `${JSON.stringify({ revocations })}\n`);
  return revocations;
}

const code = "damaged";

function identify({ keyId, compromiseTime, statement }: PersonsRevocation): string {
  return `${keyId} ${compromiseTime} ${statement}`;
}

function revocationsPath(stateFolder: string): string {
  return join(stateFolder, "revoked-keys.json");
}
