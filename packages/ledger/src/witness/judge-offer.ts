import { type Checkpoint, emptyRoot, equalBytes, verifyConsistency } from "@tally/evidence";
import type { CheckpointOffer } from "./add-checkpoint-body.ts";

/** Whether a witness that holds a checkpoint may cosign what it is offered, or the status that C2SP tlog-witness asks for. */
export type Judgement =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly status: 400 | 409 | 422; readonly reason: string };

/**
 * The checks of C2SP tlog-witness in its order, after origin and signatures: `held` is the latest checkpoint that was
 * cosigned, undefined when there was none.
 */
export function judgeOffer(held: Checkpoint | undefined, offer: CheckpointOffer): Judgement {
  const { old, proof, checkpoint } = offer;
  const heldSize = held?.size ?? 0;
  if (old > checkpoint.size)
    return refuse(400, `the old size ${old} is above the checkpoint's size ${checkpoint.size}`);
  if (old !== heldSize) return refuse(409, `the old size is ${old}, the size held is ${heldSize}`);
  if (checkpoint.size === 0 && !equalBytes(checkpoint.root, emptyRoot)) {
    return refuse(422, "a checkpoint of size 0 must have the root of the empty tree");
  }
  if (old === checkpoint.size && held !== undefined && !equalBytes(held.root, checkpoint.root)) {
    return refuse(422, `another root than the one held for the same size ${old}`);
  }
  if (old === 0 || old === checkpoint.size) {
    if (proof.length > 0) return refuse(422, `the proof from size ${old} to size ${checkpoint.size} must be empty`);
    return ACCEPTED;
  }
  try {
    verifyConsistency(old, checkpoint.size, held!.root, checkpoint.root, [...proof]);
    return ACCEPTED;
  } catch (error) {
    return refuse(
      422,
      `the proof from size ${old} to size ${checkpoint.size} does not hold: ${(error as Error).message}`,
    );
  }
}

const ACCEPTED: Judgement = Object.freeze({ accepted: true });

function refuse(status: 400 | 409 | 422, reason: string): Judgement {
  return Object.freeze({ accepted: false, status, reason });
}
