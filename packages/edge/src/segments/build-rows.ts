import { commit, type Inference, type Label, type SaltedCommitment, sha256, toHex } from "@tally/evidence";
import type { OpenedPayload } from "./payload-sequence.ts";
import { type Halves, renderContent } from "./render-content.ts";
import type { LateLabel, RowLabel, SegmentRow } from "./row.ts";

/** An entry of the segment's range that rows come from. */
export interface PlacedEntry<E> {
  readonly index: number;
  /** Leaf hash. */
  readonly leaf: Uint8Array;
  readonly entry: E;
}

export interface BuiltRows {
  readonly rows: readonly SegmentRow[];
  readonly late: readonly LateLabel[];
  /** The payloads that the rows show; others opened no commitment. */
  readonly used: readonly OpenedPayload[];
}

/**
 * Rows of records and their labels, from payloads that open their commitments. A record of which input or output is not
 * there, because it was erased or lost, gives no row; its proof stays.
 */
export function buildRows(
  origin: string,
  records: readonly PlacedEntry<Inference>[],
  labels: readonly PlacedEntry<Label>[],
  payloads: readonly OpenedPayload[],
  halves: Halves = "numbers",
): BuiltRows {
  const render = ({ mediaType, bytes }: OpenedPayload) => renderContent(mediaType, bytes, halves);
  const used: OpenedPayload[] = [];
  const byEntry = Map.groupBy(payloads, ({ index, role }) => `${role} ${index}`);
  const opened = (index: number, role: OpenedPayload["role"], commitment: SaltedCommitment) =>
    byEntry.get(`${role} ${index}`)?.find((payload) => opens(payload, commitment));
  const given = labels.flatMap(({ index, leaf, entry }) => {
    const payload = opened(index, "label", entry.label);
    if (payload === undefined) return [];
    used.push(payload);
    return [{ about: entry, label: { index, leaf: toHex(leaf), who: entry.who, value: render(payload) } }];
  });
  const givenTo = Map.groupBy(
    given.filter(({ about }) => about.origin === origin),
    ({ about }) => about.index,
  );
  const rows = records.flatMap(({ index, leaf, entry }): SegmentRow[] => {
    const input = opened(index, "input", entry.input);
    const output = opened(index, "output", entry.output);
    if (input === undefined || output === undefined) return [];
    used.push(input, output);
    const own = (givenTo.get(index) ?? []).filter(({ about }) => toHex(about.leafHash) === toHex(leaf));
    const { loadIndex: load, ordinal } = entry;
    const contents = { input: render(input), output: render(output), labels: own.map(({ label }) => label) };
    return [{ origin, index, leaf: toHex(leaf), load, ordinal, ...contents }];
  });
  const shown = new Set(rows.flatMap((row) => row.labels.map((label) => label.index)));
  const late = given.flatMap(({ about, label }) => (shown.has(label.index) ? [] : [lateLabel(about, label)]));
  return { rows, late, used: used.sort(byPlace) };
}

function lateLabel({ origin, index, leafHash }: Label, label: RowLabel): LateLabel {
  return { record: { origin, index, leaf: toHex(leafHash) }, ...label };
}

function opens({ role, mediaType, salt, bytes }: OpenedPayload, { commitment }: SaltedCommitment): boolean {
  if (salt.length !== 32) return false;
  return toHex(commit({ role, mediaType, salt, content: sha256(bytes) })) === toHex(commitment);
}

const order = { input: 0, output: 1, label: 2 } as const;

function byPlace(a: OpenedPayload, b: OpenedPayload): number {
  return a.index - b.index || order[a.role] - order[b.role];
}
