import { equalBytes, type HeadLeaf } from "@tally/evidence";

/** The leaves of `now` that are new or differ from those `before`. */
export function changedHeads(before: readonly HeadLeaf[], now: readonly HeadLeaf[]): readonly HeadLeaf[] {
  const known = new Map(before.map((leaf) => [leaf.origin, leaf]));
  return now.filter((leaf) => {
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
