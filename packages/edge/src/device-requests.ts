import type { Digest, EvidenceGrade, RecordReference } from "@tally/evidence";
import type { CaptureMode, ReleaseMode } from "./config.ts";
import type { Content } from "./content.ts";
import type { Parameters, Usage } from "./recorder/decimal.ts";
import type { LiveLoad } from "./recorder/recorder.ts";
import type { RepeatCounts } from "./recorder/repeats.ts";

/** What ran outside Tally's own runtimes, and how its binding to a model is known. */
export interface Declaration {
  /** `declared` by an operator, `asserted` by a remote provider, or `named` only. */
  readonly grade: Extract<EvidenceGrade, "declared" | "asserted" | "named">;
  readonly runtime: string;
  readonly provider: string;
  readonly manifest?: Digest;
}

/** A model of which Tally did not measure what ran. */
export interface DeclaredModel {
  readonly load: LiveLoad;
  unload(): Promise<void>;
}

/** One output of anything, to be recorded. */
export interface RecordRequest {
  /** A loaded or a declared model. */
  readonly model: Pick<DeclaredModel, "load">;
  readonly input: Content;
  readonly output: Content;
  /** Microseconds that it took; default 0. */
  readonly durationMicros?: number;
  readonly parameters?: Parameters;
  readonly usage?: Usage;
  readonly parents?: readonly RecordReference[];
  /** What was retrieved for this output, in order of use. */
  readonly retrievals?: readonly Content[];
  /**
   * Whom the record is about: an opaque id of 1 to 1,024 bytes, the same for the same person. Records of one subject are
   * erased together. The device keeps a keyed hash of it, and nothing of it is in the ledger.
   */
  readonly subject?: string;
}

export interface LabelRequest {
  readonly record: RecordReference;
  readonly content: Content;
  /** Key id of who says so, lower-case hex of 4 to 32 bytes. Default: the device's own Ed25519 key. */
  readonly who?: string;
}

export interface DeviceStatus {
  readonly origin: string;
  readonly deviceId: string;
  readonly url: string;
  readonly release: ReleaseMode;
  readonly capture: CaptureMode;
  /** Entries in the ledger. */
  readonly size: number;
  /** Entries under its newest signed checkpoint. */
  readonly sealed: number;
  /** Entries that the plane holds, as of the last sync. */
  readonly mirrored: number;
  /** Milliseconds by this device's clock; null before the first. */
  readonly lastSync: number | null;
  /** Why the plane keeps this device out, if it does. */
  readonly blocked?: string;
  /** Captured bytes that wait to be packed. */
  readonly payloadBytes: number;
  /** How often inputs were recorded again: a replayed input, or one that really came twice. Known on the device alone. */
  readonly repeats: RepeatCounts;
  readonly models: readonly { readonly channel: string; readonly manifest: Digest; readonly sequence: number }[];
}
