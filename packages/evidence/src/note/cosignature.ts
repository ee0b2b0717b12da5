// What each signature type signs, and how a signature carries its time: C2SP tlog-cosignature.
import { concatBytes, utf8 } from "../bytes.ts";
import type { Hash } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { type Checkpoint, formatCheckpointText } from "./checkpoint.ts";
import type { NoteKey } from "./note-key.ts";

/** The fields that an ML-DSA-44 cosignature covers. A checkpoint is the subtree from 0 to its size. */
export interface CosignedSubtree {
  readonly cosigner: string;
  /** POSIX seconds; 0 makes no statement of time and must be 0 where `start` is not. */
  readonly time: number;
  readonly origin: string;
  readonly start: number;
  readonly end: number;
  readonly hash: Hash;
}

/**
 * The bytes that a key of this type signs for a checkpoint. Types 1 and 2 sign the text and ignore the time.
 *
 * @param time POSIX seconds
 */
export function checkpointMessage(
  key: Pick<NoteKey, "name" | "type">,
  checkpoint: Checkpoint,
  time: number,
): Uint8Array {
  switch (key.type) {
    case 1:
    case 2:
      return utf8(formatCheckpointText(checkpoint));
    case 4:
      return cosignatureV1Message(formatCheckpointText(checkpoint), time);
    case 6: {
      const { origin, size, root } = checkpoint;
      return subtreeMessage({ cosigner: key.name, time, origin, start: 0, end: size, hash: root });
    }
  }
}

/** Type 4: `cosignature/v1\ntime <t>\n` and the text of the note. */
export function cosignatureV1Message(text: string, time: number): Uint8Array {
  return utf8(`cosignature/v1\ntime ${checkTime(time)}\n${text}`);
}

/**
 * Type 6:
 *
 *     "subtree/v1\n\0" ‖ u8 length, cosigner ‖ u64 time ‖ u8 length, origin ‖ u64 start ‖ u64 end ‖ hash[32]
 *
 * @throws EvidenceError `checkpoint-invalid` for names over 255 bytes, or a time on a subtree that does not start at 0
 */
export function subtreeMessage(subtree: CosignedSubtree): Uint8Array {
  if (subtree.start !== 0 && subtree.time !== 0) {
    throw new EvidenceError("checkpoint-invalid", "a cosignature on a subtree that starts after entry 0 has no time");
  }
  return concatBytes(
    utf8("subtree/v1\n\0"),
    shortText(subtree.cosigner),
    u64(checkTime(subtree.time)),
    shortText(subtree.origin),
    u64(subtree.start),
    u64(subtree.end),
    subtree.hash,
  );
}

/** The body of a signature of types 4 and 6: `u64 time ‖ signature`. */
export function timestamped(time: number, signature: Uint8Array): Uint8Array {
  return concatBytes(u64(checkTime(time)), signature);
}

/** Takes {@link timestamped} apart; undefined if it is too short or the time is beyond 2^53 seconds. */
export function splitTimestamped(body: Uint8Array): { time: number; signature: Uint8Array } | undefined {
  if (body.length <= 8) return undefined;
  const time = Number(new DataView(body.buffer, body.byteOffset).getBigUint64(0));
  return Number.isSafeInteger(time) ? { time, signature: body.subarray(8) } : undefined;
}

function checkTime(time: number): number {
  if (!Number.isSafeInteger(time) || time < 0) {
    throw new EvidenceError("checkpoint-invalid", `${time} is not a time in POSIX seconds`);
  }
  return time;
}

function shortText(text: string): Uint8Array {
  const bytes = utf8(text);
  if (bytes.length === 0 || bytes.length > 255) {
    throw new EvidenceError("checkpoint-invalid", `a name of ${bytes.length} bytes cannot be cosigned`, {
      hint: "names and origins have 1 to 255 bytes",
    });
  }
  return concatBytes(Uint8Array.of(bytes.length), bytes);
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}
