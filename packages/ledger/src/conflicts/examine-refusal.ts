import { type Checkpoint, consistencyRoots, equalBytes, type Hash, type RootHash, seededProof } from "@tally/evidence";
import type { SignedCheckpoint } from "../checkpoint-file.ts";
import type { LogReader } from "../log-reader.ts";
import type { CheckpointOffer } from "../witness/add-checkpoint-body.ts";

type OfferedCheckpoint = Pick<CheckpointOffer, "old" | "proof" | "checkpoint">;

/** What a mirror knows of a log: its pending and mirrored checkpoints, and the tree of the entries it has stored. */
export interface HeldLog {
  readonly pending: SignedCheckpoint;
  readonly mirrored: SignedCheckpoint | undefined;
  readonly log: Pick<LogReader, "size" | "root" | "consistencyProof">;
}

/**
 * What a refused, validly signed offer says about its log:
 * - `consistent`: it is an earlier state of the tree that we hold. The client is behind, or late;
 * - `undecided`: we lack the entries to tell; worth asking again when more have arrived;
 * - `diverged`, `equivocated`: see Conflict. For `equivocated` the proof convicts together with `signed`.
 */
export type RefusalFinding =
  | { readonly kind: "consistent" | "undecided" }
  | {
      readonly kind: "diverged" | "equivocated";
      readonly reason: string;
      readonly signed: string;
      readonly proof: readonly Hash[];
    };

/** Compares an offer that was refused with what is held (evidence.md 2). */
export async function examineRefusal(held: HeldLog, offer: OfferedCheckpoint): Promise<RefusalFinding> {
  const { pending, mirrored } = held;
  const { checkpoint } = offer;
  for (const known of mirrored === undefined ? [pending] : [pending, mirrored]) {
    if (known.checkpoint.size !== checkpoint.size) continue;
    if (equalBytes(known.checkpoint.root, checkpoint.root)) return { kind: "consistent" };
    const reason = `another root was signed for size ${checkpoint.size} than the one held`;
    return { kind: "equivocated", reason, signed: known.note, proof: [] };
  }
  if (checkpoint.size > pending.checkpoint.size) return examineLarger(pending, offer);
  return examineSmaller(held, checkpoint);
}

/** A client that asked for our size and proves from it in a tree of its own shows the root its tree had at our size. */
function examineLarger(pending: SignedCheckpoint, offer: OfferedCheckpoint): RefusalFinding {
  const { old, proof, checkpoint } = offer;
  const { size, root } = pending.checkpoint;
  if (old !== size || size === 0) return { kind: "undecided" };
  const roots = recompute(size, root, checkpoint.size, proof);
  if (roots !== undefined && equalBytes(roots.root2, checkpoint.root) && !equalBytes(roots.root1, root)) {
    const reason = `the signed tree of size ${checkpoint.size} had another root at size ${size} than the one signed and held`;
    return { kind: "equivocated", reason, signed: pending.note, proof };
  }
  // Where our size is a power of two the proof does not hold the root that the other tree had, so it cannot convict.
  const reason = `no proof leads from the checkpoint held at size ${size} to the one signed for size ${checkpoint.size}`;
  return { kind: "diverged", reason, signed: pending.note, proof };
}

/** We hold entries, so we can say what a smaller tree must look like, and prove it to anyone from a note we hold. */
async function examineSmaller({ pending, mirrored, log }: HeldLog, smaller: Checkpoint): Promise<RefusalFinding> {
  if (smaller.size === 0) {
    return {
      kind: "diverged",
      reason: "a root was signed for the empty tree that it does not have",
      signed: pending.note,
      proof: [],
    };
  }
  if (smaller.size > log.size) return { kind: "undecided" };
  const ours = await log.root(smaller.size);
  if (equalBytes(ours, smaller.root)) return { kind: "consistent" };
  const larger = [mirrored, pending].find(
    (known) => known !== undefined && known.checkpoint.size > smaller.size && known.checkpoint.size <= log.size,
  );
  if (larger === undefined) return { kind: "undecided" };
  const proof = await log.consistencyProof(smaller.size, larger.checkpoint.size);
  const reason = `the signed tree of size ${larger.checkpoint.size} has another root at size ${smaller.size} than was signed for it`;
  return { kind: "equivocated", reason, signed: larger.note, proof: seededProof(smaller.size, ours, proof) };
}

function recompute(size1: number, root1: RootHash, size2: number, proof: readonly Hash[]) {
  try {
    return consistencyRoots(size1, size2, [...proof], root1);
  } catch {
    return undefined; // of the wrong length for these sizes
  }
}
