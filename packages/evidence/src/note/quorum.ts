import { sameKey } from "./note-key.ts";
import type { Quorum, WitnessPolicy } from "./policy.ts";
import type { VerifiedSignature } from "./verify-note.ts";

/** When a checkpoint was seen, by the word of a quorum of witnesses. POSIX seconds; null if there is no such quorum. */
export interface QuorumTimes {
  readonly notBefore: number | null;
  readonly notAfter: number | null;
}

/** Names, as the policy gives them, of the witnesses whose cosignatures with a time are among these. */
export function witnessNames(policy: WitnessPolicy, signatures: readonly VerifiedSignature[]): Set<string> {
  return new Set(witnessTimes(policy, signatures).map(({ name }) => name));
}

/** Whether these witnesses, by the policy's names, are enough. With `quorum none` nobody is. */
export function quorumMet(policy: WitnessPolicy, witnesses: ReadonlySet<string>): boolean {
  return met(policy.quorum, witnesses);
}

/**
 * The bracket that cosignatures put a checkpoint in: `notBefore` is the largest T for which those with a time of T or
 * later meet the quorum, `notAfter` the smallest T for which those with a time of T or earlier do. A cosignature
 * without a time does not count. Both are null where the quorum is not met, and where it is `none`.
 */
export function quorumTimes(policy: WitnessPolicy, signatures: readonly VerifiedSignature[]): QuorumTimes {
  if (policy.quorum === "none") return { notBefore: null, notAfter: null };
  const seen = witnessTimes(policy, signatures).sort((a, b) => a.time - b.time);
  return { notBefore: firstMeeting(policy, seen.toReversed()), notAfter: firstMeeting(policy, seen) };
}

/** Adds one cosignature after the other; the time of the one that completes the quorum. */
function firstMeeting(policy: WitnessPolicy, seen: readonly WitnessTime[]): number | null {
  const names = new Set<string>();
  for (const { name, time } of seen) {
    names.add(name);
    if (quorumMet(policy, names)) return time;
  }
  return null;
}

interface WitnessTime {
  readonly name: string;
  readonly time: number;
}

function witnessTimes(policy: WitnessPolicy, signatures: readonly VerifiedSignature[]): WitnessTime[] {
  const times: WitnessTime[] = [];
  for (const { key, time } of signatures) {
    if (time === null || time === 0) continue;
    for (const [name, witness] of policy.witnesses) if (sameKey(witness.key, key)) times.push({ name, time });
  }
  return times;
}

function met(rule: Quorum, witnesses: ReadonlySet<string>): boolean {
  if (rule === "none") return true;
  switch (rule.kind) {
    case "witness":
      return witnesses.has(rule.name);
    case "group":
      return rule.members.filter((member) => met(member, witnesses)).length >= rule.threshold;
  }
}
