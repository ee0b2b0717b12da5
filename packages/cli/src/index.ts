export { type FileSource, openFileSource } from "./file-source.ts";
export { main } from "./main.ts";
export type { Terminal } from "./terminal/index.ts";
