/**
 * Text of other parties as a terminal may show it: control characters, and those that turn the direction of writing, become
 * spaces. A statement's words do not get to move the cursor of whoever reads a report.
 */
export function printable(text: string): string {
  return text.replace(moving, " ");
}

/** The same value as JSON in which those characters are escaped: programs read what was there, a terminal does nothing. */
export function printableJson(data: unknown): string {
  return escapedJson(JSON.stringify(data, null, 2) ?? "null");
}

/** JSON text, or a piece of it, in that form: such characters stand in strings only, but for the newlines between values. */
export function escapedJson(text: string): string {
  return text.replace(moving, (found) =>
    found === "\n" ? found : `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const moving = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
