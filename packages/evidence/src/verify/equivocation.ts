import { equalBytes } from "../bytes.ts";
import { asRootHash, type Hash, type RootHash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { consistencyRoots } from "../merkle/index.ts";
import { type Checkpoint, type KeySet, parseNote, verifyAllOf } from "../note/index.ts";

/**
 * Two checkpoints of one log that its keys should never both have signed.
 *
 * `proof` is empty for equal sizes. Otherwise it is an RFC 9162 consistency proof from the smaller to the larger size in
 * the tree of the larger note, *with its seed*: where the smaller size is a power of two, the RFC leaves out the smaller root
 * because a verifier has it; here the root that the larger tree has at that size stands first.
 */
export interface EquivocationEvidence {
  readonly noteA: string;
  readonly noteB: string;
  readonly proof: readonly Hash[];
  /** All of these must have signed both notes. */
  readonly keySet: KeySet;
}

/** What two notes and a proof show. `proven` is against whoever held the keys; why it happened is not shown. */
export type EquivocationFinding =
  | {
      readonly proven: true;
      readonly origin: string;
      readonly sizes: readonly [number, number];
      readonly reason: string;
    }
  | { readonly proven: false; readonly reason: string };

/**
 * Checks, from the keys of a log alone, whether it signed two histories: equal sizes with different roots, or a proof that
 * recomputes the larger signed root from a smaller root other than the signed one.
 *
 * A proof that recomputes nothing signed shows nothing: anyone can make one up.
 *
 * @throws EvidenceError when a note is malformed or not signed by all of the key set.
 */
export function checkEquivocation({ noteA, noteB, proof, keySet }: EquivocationEvidence): EquivocationFinding {
  const a = signedCheckpoint(noteA, keySet);
  const b = signedCheckpoint(noteB, keySet);
  if (a.origin !== b.origin) return unproven(`the notes are of two logs, ${a.origin} and ${b.origin}`);
  const [smaller, larger] = a.size <= b.size ? [a, b] : [b, a];
  if (smaller.size === larger.size) {
    if (equalBytes(a.root, b.root)) return unproven(`both notes have the same root for size ${a.size}`);
    return proven(a.origin, a.size, b.size, `two roots were signed for size ${a.size}`);
  }
  const roots = rootsOfSeededProof(smaller.size, larger.size, proof);
  if (roots === undefined) return unproven(`the proof does not fit sizes ${smaller.size} and ${larger.size}`);
  if (!equalBytes(roots.larger, larger.root))
    return unproven(`the proof does not lead to the root of size ${larger.size}`);
  if (equalBytes(roots.smaller, smaller.root)) return unproven("the notes are consistent");
  return proven(
    a.origin,
    smaller.size,
    larger.size,
    `the signed tree of size ${larger.size} has another root at size ${smaller.size} than was signed for it`,
  );
}

/** An RFC 9162 proof from `size`, of which `root` is the tree's own root, in the form that carries its seed. */
export function seededProof(size: number, root: RootHash, proof: readonly Hash[]): Hash[] {
  return isPowerOfTwo(size) ? [root, ...proof] : [...proof];
}

function rootsOfSeededProof(size1: number, size2: number, proof: readonly Hash[]) {
  if (size1 < 1) return undefined;
  const powerOfTwo = isPowerOfTwo(size1);
  // The seed is read only where the RFC leaves it out; elsewhere the proof has it as its first hash.
  const seed = proof[0];
  if (seed === undefined) return undefined;
  try {
    const { root1, root2 } = consistencyRoots(size1, size2, powerOfTwo ? proof.slice(1) : [...proof], asRootHash(seed));
    return { smaller: root1, larger: root2 };
  } catch (error) {
    if (error instanceof EvidenceError) return undefined;
    throw error;
  }
}

// Sizes go to 2^53 - 1, above what bit operators hold.
function isPowerOfTwo(size: number): boolean {
  return Number.isInteger(Math.log2(size)) && 2 ** Math.round(Math.log2(size)) === size;
}

function signedCheckpoint(note: string, keySet: KeySet): Checkpoint {
  const parsed = parseNote(note);
  const origin = parsed.text.slice(0, parsed.text.indexOf("\n"));
  return verifyAllOf(parsed, origin, keySet);
}

function proven(origin: string, sizeA: number, sizeB: number, reason: string): EquivocationFinding {
  return Object.freeze({ proven: true, origin, sizes: Object.freeze([sizeA, sizeB] as const), reason });
}

function unproven(reason: string): EquivocationFinding {
  return Object.freeze({ proven: false, reason });
}
