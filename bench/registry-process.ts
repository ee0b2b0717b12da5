// Tally's registry in a process of its own: node registry-process.ts DIR. Tells its URL, then answers "usage" until "stop".
// As the plane mounts it, without the plane's access control.

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createRegistry, FileBlobStore, openSqlite } from "@tally/oci";
import type { Usage } from "./plane-process.ts";

const dir = process.argv[2]!;
const db = await openSqlite(join(dir, "registry.db"));
const registry = createRegistry({
  blobs: new FileBlobStore(join(dir, "blobs"), { remembered: 8 * 1024 * 1024 }),
  db,
  authorize: async () => undefined,
});
const server = createServer((req, res) => void registry.handle(req, res)).listen(0, "127.0.0.1");
await once(server, "listening");

process.on("message", async (message) => {
  if (message === "usage") {
    const { user, system } = process.cpuUsage();
    const usage: Usage = {
      cpuMicros: user + system,
      rssBytes: process.memoryUsage.rss(),
      maxRssBytes: process.resourceUsage().maxRSS * 1024,
    };
    process.send!({ usage });
  } else if (message === "stop") {
    server.closeAllConnections();
    server.close();
    await db.close();
    process.disconnect?.();
  }
});
process.send!({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
