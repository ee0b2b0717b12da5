// A collection of a registry's folder in a process of its own: node collect-process.ts DIR [--everything]. Tells what it took.
// Untagged manifests go too, and none is too young; with --everything nothing has a tag any more.

import { join } from "node:path";
import { createRegistry, FileBlobStore, openSqlite } from "@tally/oci";
import { model, repository } from "./many-referrers.ts";

const [dir = "", what] = process.argv.slice(2);
const db = await openSqlite(join(dir, "registry.db"));
const registry = createRegistry({ blobs: new FileBlobStore(join(dir, "blobs")), db, authorize: async () => undefined });
if (what === "--everything")
  await db.run("DELETE FROM registry_tag WHERE repository = ? AND digest = ?", [repository, model.digest]);
const before = performance.now();
let removed = 0;
// Nothing is said of what stays: a line for each would be a million lines.
for await (const { action } of registry.collect({ untagged: true, graceMs: -60_000, explain: false }))
  if (action === "remove") removed += 1;
const seconds = (performance.now() - before) / 1000;
await db.close();
process.send?.({ seconds, removed, maxRssBytes: process.resourceUsage().maxRSS * 1024 });
process.disconnect?.();
if (process.send === undefined)
  console.log({ seconds, removed, mib: Math.round(process.resourceUsage().maxRSS / 1024) });
