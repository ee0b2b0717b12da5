// A registry in a process of its own, to be killed by tests: `node registry-process.ts DIR` prints its address.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createRegistry } from "../registry/registry.ts";
import { FileBlobStore } from "../storage/file-blob-store.ts";
import { openSqlite } from "../storage/sqlite.ts";

const dir = process.argv[2]!;
const registry = createRegistry({
  blobs: new FileBlobStore(join(dir, "blobs")),
  db: await openSqlite(join(dir, "registry.db")),
  authorize: async () => undefined,
});
const server = createServer((req, res) => void registry.handle(req, res));
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
