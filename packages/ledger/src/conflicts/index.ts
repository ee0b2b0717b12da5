export { type Conflict, type ConflictKind, type ConvictingEntries, ConvictionError } from "./conflict.ts";
