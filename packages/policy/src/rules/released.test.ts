import assert from "node:assert/strict";
import { test } from "node:test";
import { released } from "./released.ts";
import { by, reasonOf, release } from "./story.ts";

test("a release to the channel by someone who may release passes", async () => {
  const reason = await reasonOf(released);
  assert.deepEqual(reason, {
    pass: true,
    message: "released to models/breast-cancer:stable as number 1 by releaser",
  });
});

test("without a release it fails", async () => {
  assert.equal((await reasonOf(released, { releases: [] })).pass, false);
});

test("a release to another channel does not count for this one", async () => {
  const releases = [await by("releaser", release("models/breast-cancer:canary"))];
  assert.equal((await reasonOf(released, { releases })).pass, false);
});

test("where no channel is asked for, any of the repository's counts, and no other repository's", async () => {
  const canary = [await by("releaser", release("models/breast-cancer:canary"))];
  const other = [await by("releaser", release("models/other:stable"))];
  assert.equal((await reasonOf(released, { releases: canary, anyChannel: true })).pass, true);
  assert.equal((await reasonOf(released, { releases: other, anyChannel: true })).pass, false);
});

test("a release by somebody who may not release fails and names them", async () => {
  const reason = await reasonOf(released, { releases: [await by("publisher", release())] });
  assert.deepEqual(reason, { pass: false, message: "publisher may not release models of models/breast-cancer" });
});
