import {
  asHash,
  type Digest,
  decodeEntry,
  type Envelope,
  EvidenceError,
  fromBase64,
  type Hash,
  hashLeaf,
  parseDigest,
  parseEnvelope,
  verifyInclusion,
} from "@tally/evidence";
import { EdgeError } from "../error.ts";
import { asCount, asList, asObject, asText, type LooseObject, parseObject } from "../folder/json.ts";
import type { PlaneCheckpoint } from "../sync/plane-checkpoint.ts";

/** A statement with its place in the plane's log. */
export interface LoggedStatement {
  readonly envelope: Envelope;
  readonly index: number;
  /** The log's entry that commits to the envelope. */
  readonly entry: Uint8Array;
  readonly proof: readonly Hash[];
  /** When it was logged, where the plane says so. */
  readonly logged?: LoggedUnder;
}

/** The first checkpoint that covers an entry, and the last that does not. */
export interface LoggedUnder {
  readonly checkpoint: string;
  readonly proof: readonly Hash[];
  /** That the answer's checkpoint continues it. */
  readonly consistency: readonly Hash[];
  readonly before?: { readonly checkpoint: string; readonly consistency: readonly Hash[] };
}

/** An entry of the fleet log that is said to revoke a person's key. */
export interface RevocationEntry {
  readonly index: number;
  readonly entry: Uint8Array;
  readonly proof: readonly Hash[];
}

/** What the plane says a channel leads to, with all that a device needs to decide for itself. Read, not yet believed. */
export interface ChannelAnswer {
  readonly manifest: Digest;
  readonly sequence: number;
  readonly statements: readonly LoggedStatement[];
  /** The cosigned checkpoint of the plane's log that the proofs lead to. */
  readonly checkpoint: string;
  /** From the checkpoint that the device has pinned. */
  readonly consistency: readonly Hash[];
  /** What the fleet log says of people's keys. */
  readonly people?: { readonly checkpoint: string; readonly revocations: readonly RevocationEntry[] };
}

const code = "plane-refused";

/** Reads the plane's answer to `GET /api/v1/channels/{repository}/{channel}`. @throws EdgeError `plane-refused` */
export function parseChannelAnswer(text: string): ChannelAnswer {
  const root = parseObject(text, "the channel's answer", code);
  return readStrict(() => ({
    manifest: parseDigest(asText(root.manifest, "manifest", code)),
    sequence: asCount(root.sequence, "sequence", code),
    statements: asList(root.statements, "statements", code).map(readStatement),
    checkpoint: asText(root.checkpoint, "checkpoint", code),
    consistency: readHashes(root.consistency ?? [], "consistency"),
    ...(root.people !== undefined && { people: readPeople(asObject(root.people, "people", code)) }),
  }));
}

/**
 * Checks that each statement is in the log under the checkpoint, with the very signatures that the envelope carries.
 *
 * @throws EdgeError `plane-untrusted` naming the statement.
 */
export function requireLogged({ statements }: ChannelAnswer, { checkpoint }: PlaneCheckpoint): void {
  for (const { envelope, index, entry, proof } of statements) {
    try {
      verifyInclusion(index, checkpoint.size, hashLeaf(entry), [...proof], checkpoint.root);
      const said = decodeEntry(entry);
      if (said.kind !== "statement" || said.envelope !== envelope.digest) {
        throw new EvidenceError("proof-invalid", `entry ${index} of the log is not about it`);
      }
    } catch (cause) {
      if (!(cause instanceof EvidenceError)) throw cause;
      throw new EdgeError(
        "plane-untrusted",
        `statement ${envelope.digest} is not proven to be in the log: ${cause.message}`,
        { cause, hint: "keep the answer as evidence, and ask the operator" },
      );
    }
  }
}

function readStatement(value: unknown, i: number): LoggedStatement {
  const what = `statements[${i}]`;
  const item: LooseObject = asObject(value, what, code);
  return {
    envelope: parseEnvelope(fromBase64(asText(item.envelope, `${what}.envelope`, code))),
    index: asCount(item.index, `${what}.index`, code),
    entry: fromBase64(asText(item.entry, `${what}.entry`, code)),
    proof: readHashes(item.proof, `${what}.proof`),
    ...(item.logged !== undefined && { logged: readLogged(item.logged, `${what}.logged`) }),
  };
}

function readLogged(value: unknown, what: string): LoggedUnder {
  const { before, ...item } = asObject(value, what, code);
  const read = ({ checkpoint, consistency }: LooseObject, where: string) => ({
    checkpoint: asText(checkpoint, `${where}.checkpoint`, code),
    consistency: readHashes(consistency, `${where}.consistency`),
  });
  return {
    ...read(item, what),
    proof: readHashes(item.proof, `${what}.proof`),
    ...(before !== undefined && { before: read(asObject(before, `${what}.before`, code), `${what}.before`) }),
  };
}

function readPeople({ checkpoint, revocations }: LooseObject): NonNullable<ChannelAnswer["people"]> {
  return {
    checkpoint: asText(checkpoint, "people.checkpoint", code),
    revocations: asList(revocations, "people.revocations", code).map((value, i) => {
      const what = `people.revocations[${i}]`;
      const item = asObject(value, what, code);
      return {
        index: asCount(item.index, `${what}.index`, code),
        entry: fromBase64(asText(item.entry, `${what}.entry`, code)),
        proof: readHashes(item.proof, `${what}.proof`),
      };
    }),
  };
}

function readHashes(value: unknown, what: string): readonly Hash[] {
  return asList(value, what, code).map((hash) => asHash(fromBase64(asText(hash, what, code))));
}

function readStrict<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof EvidenceError)) throw cause;
    throw new EdgeError(code, `the plane's answer about the channel cannot be read: ${cause.message}`, { cause });
  }
}
