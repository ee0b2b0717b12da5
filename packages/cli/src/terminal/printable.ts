/**
 * Text of other parties as a terminal may show it: control characters, and those that turn the direction of writing, become
 * spaces. A statement's words do not get to move the cursor of whoever reads a report.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, " ");
}
