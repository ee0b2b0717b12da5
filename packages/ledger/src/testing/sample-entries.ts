import { utf8 } from "@tally/evidence";

/** Entry `i` of a log whose every entry can be told from its index; lengths vary from 9 to some hundred bytes. */
export function sampleEntry(index: number): Uint8Array {
  const text = `entry ${index} `;
  return utf8(text.padEnd(9 + ((index * 37) % 251), `${index % 10}`));
}

export function sampleEntries(from: number, to: number): Uint8Array[] {
  return Array.from({ length: to - from }, (_, i) => sampleEntry(from + i));
}
