export { diskFile, type FileEntry, listFiles, memoryFile } from "./entry.ts";
export { checkEntryName, compareNames, EntryNames } from "./entry-name.ts";
export { type ExtractedFile, extractTar } from "./extract.ts";
export { packTar } from "./pack.ts";
export { type ArchiveLimits, defaultArchiveLimits, readTar, type TarFile } from "./read.ts";
