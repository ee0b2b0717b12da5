import { parseSparseEntries, type RecordsQuestion } from "../bundle/index.ts";
import { decodeEntry, type Load } from "../entries/index.ts";
import { EvidenceError } from "../error.ts";
import { hashLeaf, verifySparse } from "../merkle/index.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import { standingIn } from "./interval.ts";
import type { Materials } from "./materials.ts";
import { type RecordAnswer, recordAnswer } from "./record-answer.ts";
import type { RecordPages, RecordTrait } from "./record-pages.ts";
import type { RecordCount } from "./records.ts";
import type { ProvenEntry } from "./slice.ts";
import type { Timeline } from "./time-bracket.ts";

/** What the records of sparse entries are told by. */
export interface SparseAnswer {
  readonly question: RecordsQuestion;
  readonly timeline: Timeline;
  /** The loads whose records are part of the answer, by index. */
  readonly loads: ReadonlyMap<number, Load>;
  readonly materials: Materials;
}

/**
 * Goes through a ledger's sparse entries in order, a package at a time, each proven under the mirrored head before the reader is
 * given it.
 *
 * @throws EvidenceError `proof-invalid`, or what the reader throws
 */
export async function walkSparse(
  { enrolment: { origin }, head: { leaf } }: DeviceLedger,
  materials: Materials,
  reader: { take(entry: ProvenEntry): void },
): Promise<void> {
  let last = -1;
  for await (const { member, bytes } of materials.view(materials.sparse(origin))) {
    const { size, indices, entries, proof } = parseSparseEntries(bytes);
    if (size !== leaf.mirroredSize) throw broken(`a proof is for size ${size}, not for the mirrored head`);
    const leaves = entries.map((entry) => hashLeaf(entry));
    verifySparse(indices, leaves, size, proof, leaf.mirroredRoot);
    if (indices[0]! <= last) throw broken(`entry ${indices[0]} is there twice, or out of order`);
    last = indices.at(-1)!;
    materials.use(member);
    for (const [i, index] of indices.entries()) {
      reader.take({ index, entry: decodeEntry(entries[i]!.slice()), leaf: leaves[i]! });
    }
  }
}

/** The records of verified sparse entries, read from the bundle again, whose members have to be what they were. */
export function sparseRecords(
  ledger: DeviceLedger,
  answer: SparseAnswer,
  counts: readonly RecordCount[],
  trait: RecordTrait = {},
): RecordPages {
  const { origin } = ledger.enrolment;
  const wanted = ({ model, standing }: Pick<RecordCount, "model" | "standing">): boolean =>
    (trait.origin === undefined || trait.origin === origin) &&
    (trait.model === undefined || trait.model === model) &&
    (trait.standing === undefined || trait.standing === standing);
  const count = counts.reduce((sum, counted) => sum + (wanted(counted) ? counted.count : 0), 0);
  async function* all(): AsyncGenerator<RecordAnswer> {
    const { materials } = answer;
    if (count === 0) return;
    for await (const { bytes } of materials.view(materials.sparse(origin))) {
      const { indices, entries } = parseSparseEntries(bytes);
      for (const [i, index] of indices.entries()) {
        const record = recordOf(ledger, answer, index, entries[i]!.slice());
        if (record !== undefined && wanted(record)) yield record;
      }
    }
  }
  return {
    count,
    read: async function* (from) {
      let skip = from;
      for await (const record of all()) {
        if (skip > 0) skip -= 1;
        else yield record;
      }
    },
    pick: async function* (indices) {
      const own = indices.get(origin);
      if (own === undefined) return;
      for await (const record of all()) if (own.has(record.index)) yield record;
    },
    only: (narrower) => {
      const both = counts.filter(wanted);
      return sparseRecords(ledger, answer, both, contradict(trait, narrower) ? nothing : { ...trait, ...narrower });
    },
  };
}

/** No ledger has this name. */
const nothing: RecordTrait = { origin: "" };

/** Whether no record can have both traits. */
function contradict(a: RecordTrait, b: RecordTrait): boolean {
  return (["origin", "model", "standing"] as const).some(
    (key) => a[key] !== undefined && b[key] !== undefined && a[key] !== b[key],
  );
}

function recordOf(
  ledger: DeviceLedger,
  { question, timeline, loads }: SparseAnswer,
  index: number,
  bytes: Uint8Array,
): RecordAnswer | undefined {
  const entry = decodeEntry(bytes);
  const load = entry.kind === "inference" ? loads.get(entry.loadIndex) : undefined;
  if (entry.kind !== "inference" || load === undefined) return undefined;
  const bracket = timeline.bracket(index);
  const standing = standingIn(question, ledger, bracket);
  if (standing === undefined) return undefined;
  return recordAnswer(ledger, { index, leaf: hashLeaf(bytes) }, entry, load, bracket, standing);
}

function broken(what: string): EvidenceError {
  return new EvidenceError("proof-invalid", what);
}
