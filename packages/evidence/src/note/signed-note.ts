// C2SP signed-note:
//
//     <text, ending in a newline>
//     <empty line>
//     — <name> <base64(key id ‖ signature)>
//     — …
import { concatBytes, fromBase64, fromUtf8, toBase64, utf8 } from "../bytes.ts";
import { EvidenceError } from "../error.ts";
import { checkKeyName } from "./note-key.ts";

/** One signature line, decoded. */
export interface NoteSignature {
  readonly name: string;
  readonly id: number;
  /** What follows the key id; for types 4 and 6 it begins with the timestamp. */
  readonly signature: Uint8Array;
}

/** A note whose form was checked, and none of its signatures. */
export interface SignedNote {
  /** What is signed, with its last newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
  /** The complete note as it came. */
  readonly bytes: Uint8Array;
}

/** Signatures that a note may carry; the specification asks for at least 16. */
export const maxNoteSignatures = 100;
/** Size that a note may have, in bytes: room for as many post-quantum signatures. */
export const maxNoteSize = 1_000_000;

/**
 * Reads a note: UTF-8, no control character but the newline, split at its last empty line, at least one signature line.
 *
 * @throws EvidenceError `note-invalid`
 */
export function parseNote(note: Uint8Array | string): SignedNote {
  const { bytes, whole } = readText(note);
  if (bytes.length > maxNoteSize) throw invalid(`it has ${bytes.length} bytes, more than ${maxNoteSize}`);
  checkCharacters(whole);
  const split = whole.lastIndexOf("\n\n");
  if (split < 0) throw invalid("it has no empty line before its signatures");
  const signatures = parseSignatureLines(whole.slice(split + 2));
  if (signatures.length === 0) throw invalid("it has no signature");
  return Object.freeze({ text: whole.slice(0, split + 1), signatures, bytes });
}

/**
 * Writes a note from its text and signatures.
 *
 * @throws EvidenceError `note-invalid` if the text could not be read back
 */
export function formatNote(text: string, signatures: readonly NoteSignature[]): string {
  if (!text.endsWith("\n")) throw invalid("its text does not end in a newline");
  if (signatures.length === 0 || signatures.length > maxNoteSignatures)
    throw invalid(`it has ${signatures.length} signatures`);
  checkCharacters(text);
  return `${text}\n${signatures.map(formatSignatureLine).join("")}`;
}

/** Writes `— <name> <base64>` with its newline. */
export function formatSignatureLine(signature: NoteSignature): string {
  checkKeyName(signature.name);
  const id = new Uint8Array(4);
  new DataView(id.buffer).setUint32(0, signature.id);
  return `— ${signature.name} ${toBase64(concatBytes(id, signature.signature))}\n`;
}

/**
 * Reads signature lines, each with its newline, as they end a note or answer a witness request. No text has no signatures.
 *
 * @throws EvidenceError `note-invalid`
 */
export function parseSignatureLines(text: string): readonly NoteSignature[] {
  if (text === "") return [];
  if (!text.endsWith("\n")) throw invalid("its last signature line has no newline");
  const lines = text.slice(0, -1).split("\n", maxNoteSignatures + 1);
  if (lines.length > maxNoteSignatures) throw invalid(`it has more than ${maxNoteSignatures} signatures`);
  return lines.map(parseSignatureLine);
}

function parseSignatureLine(line: string): NoteSignature {
  const [dash, name, body, ...rest] = line.split(" ");
  if (dash !== "—" || name === undefined || body === undefined || rest.length > 0) {
    throw invalid(`"${line.slice(0, 60)}" is not a signature line`);
  }
  try {
    checkKeyName(name);
    const bytes = fromBase64(body);
    if (bytes.length < 5) throw invalid(`the signature of ${name} has ${bytes.length} bytes, with its key id`);
    return Object.freeze({ name, id: new DataView(bytes.buffer).getUint32(0), signature: bytes.subarray(4) });
  } catch (cause) {
    throw invalid(`"${line.slice(0, 60)}" is not a signature line`, cause);
  }
}

function readText(note: Uint8Array | string): { bytes: Uint8Array; whole: string } {
  try {
    if (typeof note === "string") return { bytes: utf8(note), whole: note };
    return { bytes: note, whole: fromUtf8(note) };
  } catch (cause) {
    throw invalid("it is not UTF-8", cause);
  }
}

function checkCharacters(text: string): void {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 && unit !== 0x0a)
      throw invalid(`it holds the control character 0x${unit.toString(16).padStart(2, "0")}`);
  }
}

function invalid(why: string, cause?: unknown): EvidenceError {
  return new EvidenceError("note-invalid", `this is not a signed note: ${why}`, { cause });
}
