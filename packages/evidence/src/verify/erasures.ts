import { toHex } from "../bytes.ts";
import type { Digest } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { type Erasure, erasureType, parseErasure, requireDeviceSignature } from "../statements/index.ts";
import type { Context } from "./context.ts";
import type { Enrolment } from "./fleet-entries.ts";
import type { ProvenStatement, Statements } from "./proven-statements.ts";
import type { RecordPages } from "./record-pages.ts";

/** A record whose contents were erased, by the first statement that says so. Its proofs are as good as before. */
export interface ErasedAnswer {
  readonly origin: string;
  readonly index: number;
  /** The envelope of the device's statement. */
  readonly statement: Digest;
}

const name = "erasure";

/**
 * Which records' contents were erased (evidence.md 7). Only the device that made a record can say so, with every key that
 * signs its checkpoints, in the plane's log; without such a statement nothing was erased as far as anyone can show.
 */
export async function verifyErasures(
  records: RecordPages,
  scope: readonly Enrolment[],
  statements: Statements,
  { checklist }: Context,
): Promise<readonly ErasedAnswer[]> {
  const enrolments = new Map(scope.map((enrolment) => [enrolment.origin, enrolment]));
  const named = new Map<string, Digest>();
  const indices = new Map<string, Set<number>>();
  for (const found of statements.ofType(erasureType)) {
    const said = statements.read(found, parseErasure);
    const enrolment = said && enrolments.get(said.origin);
    if (said === undefined || enrolment === undefined) continue;
    const { digest } = found.envelope;
    statements.find(digest);
    const made = checklist.attempt(
      name,
      digest,
      () => checkErasure(found, said, enrolment),
      () => `the device erased the contents of ${said.records.length} of its records; their proofs stay`,
    );
    if (made === undefined) continue;
    for (const { index, leaf } of said.records) {
      const key = `${said.origin} ${index} ${toHex(leaf)}`;
      if (!named.has(key)) named.set(key, digest);
      const own = indices.get(said.origin);
      if (own === undefined) indices.set(said.origin, new Set([index]));
      else own.add(index);
    }
  }
  const erased: ErasedAnswer[] = [];
  for await (const { origin, index, leaf } of records.pick(indices)) {
    const statement = named.get(`${origin} ${index} ${toHex(leaf)}`);
    if (statement !== undefined) erased.push({ origin, index, statement });
  }
  return erased;
}

/** @throws EvidenceError `signature-missing` */
function checkErasure({ envelope, notAfter }: ProvenStatement, said: Erasure, enrolment: Enrolment): Erasure {
  const { revoked, keySets, origin } = enrolment;
  if (revoked !== undefined) {
    const { compromiseTime } = revoked;
    if (compromiseTime === null || notAfter === null || notAfter >= compromiseTime) {
      throw new EvidenceError("signature-invalid", `it is not proven older than the compromise of ${origin}'s keys`);
    }
  }
  for (const { keys } of keySets.slice(0, -1)) {
    try {
      requireDeviceSignature(envelope, keys);
      return said;
    } catch {
      // Then by a later set.
    }
  }
  requireDeviceSignature(envelope, keySets.at(-1)!.keys);
  return said;
}
