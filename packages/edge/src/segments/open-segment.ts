import { inspectSegment, type KeysAt, type LoadedSegment, type OpenedSegment } from "./inspect-segment.ts";
import { requireOpened } from "./segment-contents.ts";
import { segmentInvalid } from "./segment-part.ts";

/**
 * Opens an unpacked segment and checks all of it: the device's signatures on the checkpoint, the range under its root, each
 * payload against its commitment, the loads that records name, and the tables against the payloads.
 *
 * The signatures are checked by `keysAt`, and where that knows none by the key set of the genesis entry that the segment
 * carries; that this genesis is an enrolled device's is for the fleet log to prove.
 *
 * @param folder as `unpackModelKit` leaves it
 * @param keysAt needed for a ledger whose keys were rotated before the segment was signed
 * @param identities age identities of a recipient, where the segment is encrypted
 * @throws EdgeError `segment-encrypted` where they do not open it; `segment-invalid` naming the file, the row and what is wrong with it.
 */
export async function openSegment(
  folder: string,
  keysAt?: KeysAt,
  identities?: readonly string[],
): Promise<OpenedSegment> {
  return (await loadSegment(folder, keysAt, identities)).segment;
}

/** As `openSegment`. */
export async function loadSegment(
  folder: string,
  keysAt?: KeysAt,
  identities?: readonly string[],
): Promise<LoadedSegment> {
  const { signature, faults, ...loaded } = await inspectSegment(folder, keysAt, identities);
  if (signature !== undefined) throw segmentInvalid(`the proof does not hold: ${signature.message}`, signature);
  const [fault] = faults;
  if (fault !== undefined) throw segmentInvalid(`${fault.file} is changed: ${fault.why}`);
  requireOpened(loaded);
  return loaded;
}
