import type { Digest } from "../digest.ts";
import type { RecordStanding } from "./interval.ts";
import type { RecordAnswer } from "./record-answer.ts";

/** What records have in common. Left out, it may be anything. */
export interface RecordTrait {
  readonly origin?: string;
  readonly model?: Digest | null;
  readonly standing?: RecordStanding;
}

/** Indices of entries, by the origin of their ledger. */
export type PickedIndices = ReadonlyMap<string, ReadonlySet<number>>;

/** Records of an answer in their order, which are read when they are asked for. */
export interface RecordPages {
  readonly count: number;
  /**
   * From the record of that number on, from 0.
   *
   * @throws EvidenceError `source-changed` if the bundle is no longer what was verified; what its source throws
   */
  read(from: number): AsyncIterable<RecordAnswer>;
  /** Those that stand at these indices, in the same order. Throws as `read` does. */
  pick(indices: PickedIndices): AsyncIterable<RecordAnswer>;
  /** Those that have all of this in common. Reads nothing. */
  only(trait: RecordTrait): RecordPages;
}

/** Records at hand. */
export function heldRecords(records: readonly RecordAnswer[]): RecordPages {
  return {
    count: records.length,
    read: async function* (from) {
      yield* records.slice(from);
    },
    pick: async function* (indices) {
      yield* records.filter(({ origin, index }) => indices.get(origin)?.has(index) === true);
    },
    only: ({ origin, model, standing }) =>
      heldRecords(
        records.filter(
          (record) =>
            (origin === undefined || record.origin === origin) &&
            (model === undefined || record.model === model) &&
            (standing === undefined || record.standing === standing),
        ),
      ),
  };
}

/** One after another. */
export function joinedRecords(parts: readonly RecordPages[]): RecordPages {
  return {
    count: parts.reduce((sum, { count }) => sum + count, 0),
    read: async function* (from) {
      let before = 0;
      for (const part of parts) {
        if (before + part.count > from) yield* part.read(Math.max(from - before, 0));
        before += part.count;
      }
    },
    pick: async function* (indices) {
      if (indices.size > 0) for (const part of parts) yield* part.pick(indices);
    },
    only: (trait) => joinedRecords(parts.map((part) => part.only(trait))),
  };
}
