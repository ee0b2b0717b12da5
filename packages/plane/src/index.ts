export {
  type BackupManifest,
  type BackupOptions,
  backupPlane,
  type RestoreOptions,
  restorePlane,
} from "./backup/index.ts";
export { PlaneError, type PlaneErrorCode } from "./error.ts";
export type { Route } from "./http/route.ts";
export { routesOf } from "./http/server.ts";
export { createLogger, type Logger, type LoggerOptions } from "./operation/logger.ts";
export type { OutsideRegistrySettings } from "./outside-registry.ts";
export type { PlaneParts } from "./parts.ts";
export { loadRegistry, type RegistryLoad } from "./registry/load-registry.ts";
export { type ReindexOptions, type ReindexReport, reindexPlane } from "./reindex.ts";
export { type Plane, type PlaneOptions, startPlane } from "./start/index.ts";
