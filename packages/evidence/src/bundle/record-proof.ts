import { EvidenceError } from "../error.ts";
import { formatTlogProof, parseCheckpoint } from "../note/index.ts";
import { memberTypes, parseDeviceEntry } from "./member.ts";
import type { Bundle } from "./read.ts";

/** One record's proof, in the form of C2SP tlog-proof, and what it proves. */
export interface RecordProof {
  /** The text: index, hashes, the device's checkpoint; the entry's bytes are its extra data. */
  readonly text: string;
  readonly entry: Uint8Array;
}

/**
 * Takes the core out of a receipt: the record's entry with its inclusion under the device's own checkpoint. Whoever reads it needs the
 * device's keys, which a receipt proves and this form does not. Nothing is verified here.
 *
 * @throws EvidenceError `receipt-invalid` where the bundle is no receipt, or lacks one of the two
 */
export function recordProof({ question, members }: Bundle): RecordProof {
  if (question.kind !== "record") throw invalid("the bundle is not about one record");
  const { origin, index } = question;
  const proven = members
    .filter(({ type, place }) => type === memberTypes.deviceEntry && place.origin === origin)
    .map(({ bytes }) => parseDeviceEntry(bytes))
    .find((candidate) => candidate.index === index);
  if (proven === undefined) throw invalid(`the bundle does not hold entry ${index} of ${origin}`);
  const note = members.find(
    ({ type, bytes }) =>
      type === memberTypes.deviceCheckpoint && isOf(parseCheckpoint(bytes).checkpoint, origin, proven.size),
  );
  if (note === undefined) throw invalid(`the bundle holds no checkpoint of ${origin} of size ${proven.size}`);
  const checkpoint = new TextDecoder().decode(note.bytes);
  const { bytes: entry, proof: hashes } = proven;
  return { text: formatTlogProof({ index, hashes, checkpoint, extra: entry }), entry };
}

function isOf(checkpoint: { origin: string; size: number }, origin: string, size: number): boolean {
  return checkpoint.origin === origin && checkpoint.size === size;
}

function invalid(what: string): EvidenceError {
  return new EvidenceError("receipt-invalid", what);
}
