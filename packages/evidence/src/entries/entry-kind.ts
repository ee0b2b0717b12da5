import type { CborValue } from "../cbor/index.ts";
import type { FieldOf } from "./fields.ts";

/** What every entry has: its kind and what the writer's clock said (ms since 1970). Nothing relies on that clock. */
export interface EntryBase<Kind extends string> {
  readonly kind: Kind;
  /** Milliseconds since 1970 by the clock of whoever wrote the entry. */
  readonly time: number;
}

/** One kind of entry: the integer at map key 0, and how the other keys become typed fields and back. */
export interface EntryKind<E extends EntryBase<string>> {
  readonly name: E["kind"];
  readonly code: number;
  /** The map's keys from 2 on; undefined leaves a key out. */
  write(entry: E): readonly (readonly [key: number, value: CborValue | undefined])[];
  /** Everything but kind and time. */
  read(field: FieldOf): Omit<E, "kind" | "time">;
}
