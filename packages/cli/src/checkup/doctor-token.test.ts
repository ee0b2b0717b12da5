import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { tally } from "../testing/loop.ts";

test("attack: doctor is pointed at a plane without TLS elsewhere, and gives its token away", async (t) => {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(200, { "content-type": "application/json" }).end('{"ready":true,"witnesses":[]}');
  });
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  t.after(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const all = Object.values(networkInterfaces()).flat();
  const other = all.find((each) => each?.family === "IPv4" && !each.internal)?.address;
  if (other === undefined) return t.skip("skipped: this machine has no address but loopback");
  const env = { TALLY_URL: `http://${other}:${port}`, TALLY_TOKEN: "tly_secret" };
  const { out } = await tally("/", env, "doctor");
  assert.ok(seen.length > 0);
  assert.deepEqual(new Set(seen), new Set([undefined]));
  assert.match(out, /would travel unencrypted/);
  await tally("/", { ...env, TALLY_INSECURE_HTTP: "1" }, "doctor");
  assert.ok(seen.includes("Bearer tly_secret"));
});
