export type { CollectOptions, Decision } from "./decision.ts";
export type { Evidence, EvidenceReader, Named } from "./evidence.ts";
