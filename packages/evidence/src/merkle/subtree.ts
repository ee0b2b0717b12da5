import { EvidenceError, type EvidenceErrorCode } from "../error.ts";

/**
 * Checks that [start, end) is a subtree of a tree with `size` leaves, as draft-ietf-plants-merkle-tree-certs section 4
 * defines it: `start` is a multiple of the smallest power of two that is not below its width. Empty ones pass.
 *
 * @throws EvidenceError with the given code
 */
export function checkSubtree(start: number, end: number, size: number, code: EvidenceErrorCode): void {
  const whole = Number.isSafeInteger(start) && Number.isSafeInteger(end) && Number.isSafeInteger(size);
  if (!whole || start < 0 || start > end || end > size) {
    throw new EvidenceError(code, `[${start}, ${end}) is not a range of a tree with ${size} leaves`);
  }
  if (start % powerNotBelow(end - start) !== 0) {
    throw new EvidenceError(code, `[${start}, ${end}) is not a subtree: it does not begin at a multiple of its width`);
  }
}

/** The smallest power of two that is at least n. */
export function powerNotBelow(n: number): number {
  let power = 1;
  while (power < n) power *= 2;
  return power;
}
