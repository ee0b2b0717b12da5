export type { Admission, KeySetSource } from "./admission.ts";
export type { Inspector } from "./commit-packages.ts";
export { Mirror } from "./mirror.ts";
export { formatMirrorInfo, MIRROR_INFO_TYPE, type MirrorInfo, parseMirrorInfo } from "./mirror-info.ts";
export type { MirrorOptions } from "./mirror-options.ts";
export type { MirroredLog } from "./mirrored-log.ts";
export { packEntries } from "./packed-entries.ts";
export { discardRest, requestBody } from "./request-body.ts";
export {
  formatPackage,
  formatUploadHeader,
  MAX_REQUEST_PACKAGES,
  PACKAGE_ENTRIES,
  packageRanges,
  type UploadHeader,
} from "./upload-body.ts";
