type Koffi = Pick<typeof import("koffi"), "alloc" | "free" | "view">;

/** A piece of C memory. */
export interface Block {
  readonly address: bigint;
  /** The piece itself, not a copy. Gone with its memory. */
  readonly bytes: Uint8Array;
}

/** C memory for one call of a library, zeroed before it is used and when it is given back: a PIN may have been in it. */
export interface NativeMemory extends Disposable {
  block(length: number): Block;
  /** A copy of these bytes. */
  holding(bytes: Uint8Array): Block;
}

/** Bytes that nobody moves: what a library is pointed to must stay where it is while it works on another thread. */
export function nativeMemory(koffi: Koffi): NativeMemory {
  const blocks: Block[] = [];
  function block(length: number): Block {
    const size = Math.max(length, 8);
    const address = koffi.alloc("uint8_t", size) as bigint;
    const bytes = new Uint8Array(koffi.view(address, size));
    bytes.fill(0);
    const made = { address, bytes: bytes.subarray(0, length) };
    blocks.push(made);
    return made;
  }
  return {
    block,
    holding(bytes) {
      const made = block(bytes.length);
      made.bytes.set(bytes);
      return made;
    },
    [Symbol.dispose]() {
      for (const { address, bytes } of blocks.splice(0)) {
        bytes.fill(0);
        koffi.free(address);
      }
    },
  };
}
