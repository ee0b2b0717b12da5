import { type Checkpoint, equalBytes } from "@tally/evidence";
import type { LogReader } from "@tally/ledger";
import type { MirroredHeads, MirroredLedger } from "../plane/mirrored-ledger.ts";

/**
 * How this folder's ledger stands to what its plane holds of it (evidence.md 2):
 * - `current`: it holds everything that the plane holds;
 * - `behind`: it is the beginning of what the plane holds. An old copy was restored, and nothing was appended since;
 * - `forked`: the plane holds entries that this ledger has not, and this ledger has others or cannot get them back.
 */
export type Standing =
  | { readonly kind: "current" }
  | { readonly kind: "behind"; readonly head: Checkpoint }
  | { readonly kind: "forked"; readonly heads: MirroredHeads };

/** Compares the two. @throws EdgeError as `MirroredLedger` */
export async function standingOf(
  ledger: Pick<LogReader, "size" | "root">,
  mirror: Pick<MirroredLedger, "heads" | "rootAt">,
): Promise<Standing> {
  const heads = await mirror.heads();
  if (heads === undefined) return { kind: "current" };
  const { pending, mirrored } = heads;
  if (pending.size <= ledger.size) {
    const same = equalBytes(await ledger.root(pending.size), pending.root);
    return same ? { kind: "current" } : { kind: "forked", heads };
  }
  // Entries that were signed and never delivered are nowhere any more: the tree that was signed cannot be continued.
  if (mirrored === undefined || mirrored.size < pending.size) return { kind: "forked", heads };
  const then = await mirror.rootAt(ledger.size, mirrored);
  return equalBytes(then, await ledger.root()) ? { kind: "behind", head: mirrored } : { kind: "forked", heads };
}
