import type { CborMap } from "../cbor/index.ts";
import { type Anchor, anchor } from "./anchor.ts";
import { type Decommission, decommission } from "./decommission.ts";
import { type Enrol, type Epoch, enrol, epoch } from "./enrol.ts";
import type { EntryBase, EntryKind } from "./entry-kind.ts";
import { type Event, event } from "./event.ts";
import { type Gap, gap } from "./gap.ts";
import { type Genesis, genesis } from "./genesis.ts";
import { type HeadsLeaf, headsLeaf } from "./heads-leaf.ts";
import { type Inference, inference } from "./inference.ts";
import { type Keys, keys } from "./keys.ts";
import { type Label, label } from "./label.ts";
import { type Load, load } from "./load.ts";
import { type Restart, restart } from "./restart.ts";
import { type Revoke, revoke } from "./revoke.ts";
import { type Segment, segment } from "./segment.ts";
import { type StatementLeaf, statementLeaf } from "./statement-leaf.ts";
import { type Summary, summary } from "./summary.ts";
import { type Unload, unload } from "./unload.ts";

/** An entry of a kind that this version knows. */
export type UnderstoodEntry =
  | Genesis
  | Restart
  | Load
  | Unload
  | Inference
  | Label
  | Summary
  | Anchor
  | Gap
  | Segment
  | Event
  | StatementLeaf
  | HeadsLeaf
  | Enrol
  | Keys
  | Epoch
  | Revoke
  | Decommission;

/**
 * An entry of an unknown kind, or with an unknown critical (negative) key: included and proven like any other, but
 * nothing may be concluded from it.
 */
export interface NotUnderstood {
  readonly kind: "not-understood";
  /** The integer at map key 0. */
  readonly code: number;
  /** Why, in words. */
  readonly reason: string;
  /** The entry as it was decoded. */
  readonly map: CborMap;
}

export type Entry = UnderstoodEntry | NotUnderstood;

/** The names of the kinds, as in `entry.kind`. */
export type EntryKindName = UnderstoodEntry["kind"];

type AnyKind = { [K in EntryKindName]: EntryKind<Extract<UnderstoodEntry, { kind: K }>> };

const kinds: AnyKind = {
  genesis,
  restart,
  load,
  unload,
  inference,
  label,
  summary,
  anchor,
  gap,
  segment,
  event,
  statement: statementLeaf,
  heads: headsLeaf,
  enrol,
  keys,
  epoch,
  revoke,
  decommission,
};

const byName = new Map<string, EntryKind<EntryBase<string>>>();
const byCode = new Map<number, EntryKind<EntryBase<string>>>();
for (const kind of Object.values(kinds) as unknown as EntryKind<EntryBase<string>>[]) {
  byName.set(kind.name, kind);
  byCode.set(kind.code, kind);
}

export function kindByName(name: string): EntryKind<EntryBase<string>> | undefined {
  return byName.get(name);
}

export function kindByCode(code: number): EntryKind<EntryBase<string>> | undefined {
  return byCode.get(code);
}

/** The integer at map key 0 of each kind of entry. */
export const entryKindCodes: Readonly<Record<EntryKindName, number>> = Object.freeze(
  Object.fromEntries(Object.values(kinds).map((kind) => [kind.name, kind.code])) as Record<EntryKindName, number>,
);
