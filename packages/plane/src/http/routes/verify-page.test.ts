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

test("a page that is given at the start is made when somebody first asks, once, and again after it failed", async (t) => {
  let made = 0;
  const page = "<!doctype html><title>made</title>";
  const verifyPage = async () => {
    made += 1;
    if (made === 1) throw new Error("no compiler here");
    return new TextEncoder().encode(page);
  };
  const plane = await TestPlane.start(t, { verifyPage });
  assert.equal(made, 0);
  assert.equal((await call(plane.url, "GET", "/verify")).status, 404);
  for (let i = 0; i < 2; i += 1) assert.equal((await call(plane.url, "GET", "/verify")).text, page);
  assert.equal(made, 2);
  await writeFile(join(plane.dir, "verify.html"), "the operator's own");
  assert.equal((await call(plane.url, "GET", "/verify")).text, "the operator's own");
});
