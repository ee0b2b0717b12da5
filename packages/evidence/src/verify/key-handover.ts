import { type BundleMember, memberTypes } from "../bundle/index.ts";
import { type KeySet, parseCheckpoint, verifyAllOf } from "../note/index.ts";
import type { Enrolment } from "./fleet-entries.ts";
import type { Materials } from "./materials.ts";

/** The place where a ledger's keys changed, with the checkpoint that both key sets signed, if the bundle has it. */
export interface Handover {
  readonly size: number;
  readonly member: BundleMember | undefined;
}

/** Handovers of a ledger up to a size, in order (evidence.md 2: one checkpoint signed by old and new sets). */
export function handoversOf(enrolment: Enrolment, upTo: number, materials: Materials): readonly Handover[] {
  return enrolment.keySets.flatMap(({ fromSize: size, keys }, i) => {
    const before = enrolment.keySets[i - 1];
    if (before === undefined || size > upTo) return [];
    const member = materials
      .of(memberTypes.deviceCheckpoint, enrolment.origin)
      .find(({ bytes, place }) => place.index === size && isSignedWith(bytes, enrolment.origin, before.keys, keys));
    return [{ size, member }];
  });
}

function isSignedWith(bytes: Uint8Array, origin: string, ...keySets: readonly KeySet[]): boolean {
  try {
    const { note } = parseCheckpoint(bytes);
    for (const keySet of keySets) verifyAllOf(note, origin, keySet);
    return true;
  } catch {
    return false;
  }
}
