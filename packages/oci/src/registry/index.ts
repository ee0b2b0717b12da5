export { type BulkLoad, bulkLoad } from "./bulk-load.ts";
export type { CollectOptions, Decision, Evidence, EvidenceReader, Named } from "./collect/index.ts";
export { type LayoutLoad, type LayoutLoaded, loadLayout } from "./load-layout.ts";
export type {
  AccessRefused,
  PushEvent,
  RegistryAction,
  RegistryLimits,
  RegistryOptions,
  RetentionRefused,
} from "./options.ts";
export type { Quota, QuotaUse } from "./quotas.ts";
export { createRegistry, type Registry } from "./registry.ts";
export { inWords, type RetentionRule } from "./retention.ts";
