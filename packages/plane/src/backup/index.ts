export { type BackupOptions, backupPlane } from "./backup.ts";
export type { BackupManifest } from "./manifest.ts";
export { type RestoreOptions, restorePlane } from "./restore.ts";
export { forgetRestored, type Restored, readRestored } from "./restored-mark.ts";
