export * from "./files.ts";
export { nodeFiles } from "./node-files.ts";
export { writeDurably } from "./write-durably.ts";
