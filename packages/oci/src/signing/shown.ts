/**
 * A value out of a signature that nobody vouches for, for a message: at most 100 characters of it, and of lists and objects, which
 * may be of any size and depth, nothing.
 */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = String(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
