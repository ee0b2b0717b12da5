import { formatNote, type NoteKey, type SignedNote } from "@tally/evidence";

/**
 * The note with one signature of each of these keys and no others, in the order given.
 *
 * The rest is dropped before a note is kept: anyone can add or repeat lines in a note that they pass on, and a kept note has
 * to prove what it says by its log's keys alone, and to keep its hash.
 */
export function ownNote(note: SignedNote, keys: readonly NoteKey[]): string {
  const own = keys.map((key) => note.signatures.findIndex(({ name, id }) => key.name === name && key.id === id));
  const lines = new Set(own.filter((line) => line >= 0).sort((a, b) => a - b));
  return formatNote(
    note.text,
    [...lines].map((line) => note.signatures[line]!),
  );
}
