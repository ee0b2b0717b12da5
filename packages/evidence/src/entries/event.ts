import type { CborValue } from "../cbor/index.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";

/** Codes of events. Codes not listed here are kept as they are. */
export const eventCodes = {
  quarantine: 1,
  "policy-change": 2,
  "clock-step": 3,
  "key-rotation": 4,
  restored: 5,
  "registry-rule": 6,
  "registry-refusal": 7,
} as const;

/** Something happened to the device, or to the plane, that a reader of its ledger must know. Fields hold no names and no free text. */
export interface Event extends EntryBase<"event"> {
  /** One of `eventCodes`. */
  readonly code: number;
  readonly fields: ReadonlyMap<number, CborValue>;
}

export const event: EntryKind<Event> = {
  name: "event",
  code: 11,
  write: (e) => [
    [2, e.code],
    [3, e.fields],
  ],
  read: (field) => ({ code: field(2, "code").uint(), fields: field(3, "fields").codes() }),
};
