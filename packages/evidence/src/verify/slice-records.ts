import { EntriesView } from "../bundle/index.ts";
import { decodeEntry, type Load } from "../entries/index.ts";
import { hashLeaf } from "../merkle/index.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import type { RecordStanding } from "./interval.ts";
import type { Span } from "./ledger-walk.ts";
import type { Materials } from "./materials.ts";
import { type RecordAnswer, recordAnswer } from "./record-answer.ts";
import type { RecordPages, RecordTrait } from "./record-pages.ts";
import type { Bracket } from "./time-bracket.ts";

/** Records of a span that are part of the answer. */
export interface AnsweredSpan {
  readonly span: Span;
  readonly bracket: Bracket;
  readonly standing: RecordStanding;
  /** The loads whose records are, by index. */
  readonly loads: ReadonlyMap<number, Load>;
  readonly count: number;
}

/** The records of verified spans, read from the bundle again, whose members have to be what they were. */
export function sliceRecords(ledger: DeviceLedger, spans: readonly AnsweredSpan[], materials: Materials): RecordPages {
  const { origin } = ledger.enrolment;
  const slices = materials.slices(origin);
  async function* recordsIn(wanted: readonly AnsweredSpan[]): AsyncGenerator<RecordAnswer> {
    const members = [...new Set(wanted.map(({ span }) => slices[span.slice]!))];
    const view = new EntriesView();
    let at = 0;
    for await (const { member, bytes } of materials.view(members)) {
      view.open(bytes);
      for (; at < wanted.length && slices[wanted[at]!.span.slice] === member; at += 1) {
        yield* recordsOf(ledger, wanted[at]!, view);
      }
    }
  }
  return {
    count: spans.reduce((sum, { count }) => sum + count, 0),
    read: async function* (from) {
      let skip = from;
      let first = 0;
      while (first < spans.length && spans[first]!.count <= skip) skip -= spans[first++]!.count;
      for await (const record of recordsIn(spans.slice(first))) {
        if (skip > 0) skip -= 1;
        else yield record;
      }
    },
    pick: async function* (indices) {
      const own = indices.get(origin);
      if (own === undefined) return;
      const wanted = spansWith(
        spans,
        [...own].sort((a, b) => a - b),
      );
      for await (const record of recordsIn(wanted)) if (own.has(record.index)) yield record;
    },
    only: (trait) => {
      const other = trait.origin !== undefined && trait.origin !== origin;
      return sliceRecords(ledger, other ? [] : spans.flatMap((span) => spanWith(trait, span) ?? []), materials);
    },
  };
}

/** A span with the loads alone whose records have that trait; undefined for none. */
function spanWith({ model, standing }: RecordTrait, answered: AnsweredSpan): AnsweredSpan | undefined {
  if (standing !== undefined && answered.standing !== standing) return undefined;
  if (model === undefined) return answered;
  const loads = new Map([...answered.loads].filter(([, load]) => load.manifest === model));
  const count = answered.span.loads.reduce((sum, made) => sum + (loads.has(made.loadIndex) ? made.count : 0), 0);
  return count === 0 ? undefined : { ...answered, loads, count };
}

/** The spans that could hold entries of these indices; both are in order. */
function spansWith(spans: readonly AnsweredSpan[], sorted: readonly number[]): readonly AnsweredSpan[] {
  let at = 0;
  return spans.filter(({ span: { from } }, i) => {
    while (at < sorted.length && sorted[at]! < from) at += 1;
    const end = spans[i + 1]?.span.from ?? Number.POSITIVE_INFINITY;
    return at < sorted.length && sorted[at]! < end;
  });
}

function* recordsOf(
  ledger: DeviceLedger,
  { span, bracket, standing, loads, count }: AnsweredSpan,
  view: EntriesView,
): Generator<RecordAnswer> {
  let left = count;
  for (let i = span.from - view.from; left > 0 && i < view.length; i += 1) {
    const bytes = view.bytes.slice(view.starts[i]!, view.ends[i]!);
    const entry = decodeEntry(bytes);
    const load = entry.kind === "inference" ? loads.get(entry.loadIndex) : undefined;
    if (entry.kind !== "inference" || load === undefined) continue;
    left -= 1;
    yield recordAnswer(ledger, { index: view.from + i, leaf: hashLeaf(bytes) }, entry, load, bracket, standing);
  }
}
