// Byte strings of some hundred bytes, in their millions. Memory of its own for each costs more than all else that is done
// with it, most of it when it is collected (measured); so they share pieces, as Node's own small Buffers do. They never overlap.

const pieceBytes = 16 * 1024;
/** Up to here V8 keeps the bytes with the object. */
const ownBytes = 64;
/** From here on, memory of its own is cheap in comparison, and sharing would keep too much for too long. */
const largeBytes = 1024;

let piece = new Uint8Array(pieceBytes);
let used = 0;

/** That many bytes, all zero. */
export function allot(length: number): Uint8Array {
  if (length <= ownBytes || length > largeBytes) return new Uint8Array(length);
  if (used + length > pieceBytes) {
    piece = new Uint8Array(pieceBytes);
    used = 0;
  }
  const bytes = piece.subarray(used, used + length);
  used += length;
  return bytes;
}
