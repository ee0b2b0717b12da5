import type { Register } from "../register.ts";

type Load = () => Promise<Register>;

/**
 * Every command, in the order in which a newcomer needs them. Each is loaded when it is called: all of them together take twice the time
 * and memory of one.
 */
export const commands: ReadonlyMap<string, Load> = new Map<string, Load>([
  ["serve", async () => (await import("./serve.ts")).serve],
  ["witness", async () => (await import("./witness.ts")).witness],
  ["keygen", async () => (await import("./keygen.ts")).keygen],
  ["token", async () => (await import("./token.ts")).token],
  ["identity", async () => (await import("./identity.ts")).identity],
  ["trust", async () => (await import("./trust.ts")).trust],
  ["ingest", async () => (await import("./ingest.ts")).ingest],
  ["model", async () => (await import("./model/index.ts")).model],
  ["artifact", async () => (await import("./artifact/index.ts")).artifact],
  ["statement", async () => (await import("./statement.ts")).statement],
  ["approve", async () => (await import("./approve.ts")).approve],
  ["release", async () => (await import("./release.ts")).release],
  ["device", async () => (await import("./device/index.ts")).device],
  ["audit", async () => (await import("./audit.ts")).audit],
  ["verify", async () => (await import("./verify.ts")).verify],
  ["bundle", async () => (await import("./bundle.ts")).bundle],
  ["trace", async () => (await import("./trace/index.ts")).trace],
  ["replay", async () => (await import("./replay/index.ts")).replay],
  ["receipt", async () => (await import("./receipt.ts")).receipt],
  ["compare", async () => (await import("./compare.ts")).compare],
  ["data", async () => (await import("./data.ts")).data],
  ["quarantine", async () => (await import("./quarantine/index.ts")).quarantine],
  ["export", async () => (await import("./export.ts")).exportCommand],
  ["import", async () => (await import("./import.ts")).importCommand],
  ["ledger", async () => (await import("./ledger/index.ts")).ledger],
  ["backup", async () => (await import("./backup.ts")).backup],
  ["restore", async () => (await import("./restore.ts")).restore],
  ["plane", async () => (await import("./plane/index.ts")).plane],
  ["registry", async () => (await import("./registry/index.ts")).registry],
  ["env", async () => (await import("./env.ts")).env],
  ["doctor", async () => (await import("./doctor.ts")).doctor],
]);
