import type { Quorum, WitnessPolicy } from "./policy.ts";

/**
 * What remains of a policy where only ML-DSA cosignatures count: classical witnesses are left out, and a group asks for as many
 * of the others as before, or for all that are left. Undefined where none is left.
 */
export function postQuantumPolicy(policy: WitnessPolicy): WitnessPolicy | undefined {
  if (policy.quorum === "none") return undefined;
  const witnesses = new Map([...policy.witnesses].filter(([, { key }]) => key.type === 6));
  const quorum = remaining(policy.quorum, new Set(witnesses.keys()));
  return quorum && { ...policy, witnesses, quorum };
}

function remaining(rule: Exclude<Quorum, "none">, names: ReadonlySet<string>): Exclude<Quorum, "none"> | undefined {
  if (rule.kind === "witness") return names.has(rule.name) ? rule : undefined;
  const members = rule.members.flatMap((member) => {
    const left = member === "none" ? undefined : remaining(member, names);
    return left === undefined ? [] : [left];
  });
  return members.length === 0 ? undefined : { ...rule, members, threshold: Math.min(rule.threshold, members.length) };
}
