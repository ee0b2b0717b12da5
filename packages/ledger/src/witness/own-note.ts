import { formatNote, type NoteKey, type SignedNote } from "@tally/evidence";

/**
 * The note with the signatures of these keys and no others, in the order given.
 *
 * What others signed is dropped before a note is kept: anyone can add lines to a note that they pass on, and a kept note
 * has to prove what it says by its log's keys alone.
 */
export function ownNote(note: SignedNote, keys: readonly NoteKey[]): string {
  const own = note.signatures.filter(({ name, id }) => keys.some((key) => key.name === name && key.id === id));
  return formatNote(note.text, own);
}
