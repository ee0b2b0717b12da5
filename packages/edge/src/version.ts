import { readFileSync } from "node:fs";

/** The version of this package, as restart entries carry it. */
export const tallyVersion: string = (
  JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }
).version;

/** The language runtime and platform, such as `node 26.10.0 linux x64`. It names no host and no person. */
export const runtimeName = `node ${process.versions.node} ${process.platform} ${process.arch}`;
