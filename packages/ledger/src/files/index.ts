export * from "./files.ts";
export { nodeFiles } from "./node-files.ts";
export { pooledFiles } from "./pooled-files.ts";
export { writeDurably } from "./write-durably.ts";
