import type { Digest, LeafHash } from "../digest.ts";
import type { EvidenceGrade, Inference, Load } from "../entries/index.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import type { RecordStanding } from "./interval.ts";
import type { ProvenEntry } from "./slice.ts";
import type { Bracket } from "./time-bracket.ts";

/** A record as an answer has it. */
export interface RecordAnswer {
  readonly origin: string;
  readonly index: number;
  readonly leaf: LeafHash;
  readonly loadIndex: number;
  readonly ordinal: number;
  readonly model: Digest | null;
  readonly grade: EvidenceGrade;
  readonly standing: RecordStanding;
  readonly bracket: Bracket;
  /** Milliseconds: what the device's own clock said. Shown, never relied upon. */
  readonly deviceTime: number;
  readonly durationMicros: number;
  readonly entry: Inference;
}

export function recordAnswer(
  ledger: DeviceLedger,
  { index, leaf }: Pick<ProvenEntry, "index" | "leaf">,
  entry: Inference,
  load: Load,
  bracket: Bracket,
  standing: RecordStanding,
): RecordAnswer {
  const { loadIndex, ordinal, durationMicros, time: deviceTime } = entry;
  const { manifest: model, grade } = load;
  const { origin } = ledger.enrolment;
  return Object.freeze({
    origin,
    index,
    leaf,
    loadIndex,
    ordinal,
    model,
    grade,
    standing,
    bracket,
    deviceTime,
    durationMicros,
    entry,
  });
}
