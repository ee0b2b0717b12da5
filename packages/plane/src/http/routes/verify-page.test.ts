import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { call, errorOf } from "../../testing/plane-client.ts";
import { TestPlane } from "../../testing/test-plane.ts";

test("a plane serves the verifier page that its operator put into its folder, to anyone", async (t) => {
  const plane = await TestPlane.start(t);
  const none = await call(plane.url, "GET", "/verify");
  assert.equal(none.status, 404);
  assert.match(errorOf(none)!.hint!, /npm run --silent console/);
  const page = "<!doctype html><title>a page</title>";
  await writeFile(join(plane.dir, "verify.html"), page);
  const answer = await call(plane.url, "GET", "/verify");
  assert.deepEqual([answer.status, answer.type, answer.text], [200, "text/html", page]);
});
