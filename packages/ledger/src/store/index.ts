export { MAX_ENTRY_BYTES } from "./frames.ts";
export { LogStore, type LogStoreOptions } from "./log-store.ts";
export { ProvingLog } from "./proving-log.ts";
export type { Damage, Sealed } from "./recover.ts";
export { readOrigin } from "./store-files.ts";
