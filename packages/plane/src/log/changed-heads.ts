import { equalBytes, type HeadLeaf } from "@tally/evidence";

/** The leaves of `now` that are new or differ from those `before`. Most are the same objects, and cost no comparison. */
export function changedHeads(before: readonly HeadLeaf[], now: readonly HeadLeaf[]): readonly HeadLeaf[] {
  const same = new Set(before);
  const others = now.filter((leaf) => !same.has(leaf));
  if (others.length === 0) return others;
  const known = new Map(before.map((leaf) => [leaf.origin, leaf]));
  return others.filter((leaf) => {
    const old = known.get(leaf.origin);
    return old === undefined || !sameHead(old, leaf);
  });
}

function sameHead(a: HeadLeaf, b: HeadLeaf): boolean {
  const sameNote =
    a.pendingNoteHash === null || b.pendingNoteHash === null
      ? a.pendingNoteHash === b.pendingNoteHash
      : equalBytes(a.pendingNoteHash, b.pendingNoteHash);
  return (
    sameNote &&
    a.pendingSize === b.pendingSize &&
    a.mirroredSize === b.mirroredSize &&
    equalBytes(a.pendingRoot, b.pendingRoot) &&
    equalBytes(a.mirroredRoot, b.mirroredRoot)
  );
}
