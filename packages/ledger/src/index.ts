export * from "./clock.ts";
export * from "./error.ts";
export * from "./files/index.ts";
export type { LogReader } from "./log-reader.ts";
export * from "./mirror/index.ts";
export * from "./store/index.ts";
export * from "./witness/index.ts";
