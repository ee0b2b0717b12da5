import { EvidenceError } from "../error.ts";

/**
 * Bytes that are read piece by piece, so that a bundle of any length can be verified in little memory: a file, a Blob of
 * a browser, bytes at hand.
 */
export interface ByteSource {
  /** Bytes that there are. */
  readonly size: number;
  /** The bytes [offset, offset + length), all of which are below `size`. Whoever reads them does not change them. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** What a `Blob` or a `File` has that reading takes. */
export interface BlobLike {
  readonly size: number;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

/** Bytes at hand. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  // Of a Buffer, parts would be Buffers too.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  return { size: plain.length, read: async (offset, length) => plain.subarray(offset, offset + length) };
}

/** A `Blob` or `File` of a browser, which stays where it is until it is read. */
export function blobSource(blob: BlobLike): ByteSource {
  const read = async (offset: number, length: number) =>
    new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
  return { size: blob.size, read };
}

/** Reads exactly these bytes. @throws EvidenceError `source-changed` if there are fewer: the file shrank meanwhile. */
export async function readExactly(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  const bytes = await source.read(offset, length);
  if (bytes.length !== length) throw sourceChanged(`${bytes.length} of ${length} bytes are left at ${offset}`);
  return bytes;
}

/** A file that is not what it was a moment ago proves nothing, and accuses nobody. */
export function sourceChanged(what: string): EvidenceError {
  return new EvidenceError("source-changed", `the bundle changed while it was being read: ${what}`, {
    hint: "copy the file to where nobody writes to it, and verify the copy",
  });
}
