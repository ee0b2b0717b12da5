export * from "./blob-store.ts";
export * from "./content-digest.ts";
export { type Database, migrate, type SqlValue } from "./database.ts";
export { makeDirectoryDurably, renameDurably } from "./durable-file.ts";
export { FileBlobStore } from "./file-blob-store.ts";
export { openPlainFile, readPlainFile } from "./plain-file.ts";
export { openSqlite } from "./sqlite.ts";
