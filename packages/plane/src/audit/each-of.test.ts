import assert from "node:assert/strict";
import { test } from "node:test";
import { eachOf } from "./each-of.ts";

test("each item gets its turn, never more at once than asked for", async () => {
  const seen: number[] = [];
  let [running, most] = [0, 0];
  await eachOf([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise<void>((resolve) => setImmediate(resolve));
    running -= 1;
    seen.push(item);
  });
  assert.deepEqual(seen.sort(), [1, 2, 3, 4, 5, 6, 7]);
  assert.equal(most, 3);
  await eachOf([], 3, () => assert.fail("there is nothing to do"));
});

test("after a failure nothing is begun, and what was begun has ended", async () => {
  const begun: number[] = [];
  let ended = 0;
  const working = eachOf([1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    if (item === 2) throw new Error("the second failed");
    await new Promise<void>((resolve) => setImmediate(resolve));
    ended += 1;
  });
  await assert.rejects(working, /the second failed/);
  assert.deepEqual([begun, ended], [[1, 2], 1]);
});
