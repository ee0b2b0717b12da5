import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, utf8 } from "@tally/evidence";
import { filesMatch } from "./files-match.ts";
import { by, files, modelOf, reasonOf, signatureOf } from "./story.ts";

const swapped = digestOf(utf8("other weights"));

test("a load of signed files passes", async () => {
  assert.deepEqual(await reasonOf(filesMatch), { pass: true, message: "2 measured files are signed ones" });
});

test("a device that loads some of the signed files passes", async () => {
  const one = files.slice(0, 1);
  assert.equal((await reasonOf(filesMatch, { request: { files: one } })).pass, true);
});

test("a model file that was replaced on the device fails, with its digest", async () => {
  const reason = await reasonOf(filesMatch, { request: { files: [{ digest: swapped, size: 7 }] } });
  assert.equal(reason.pass, false);
  assert.match(reason.message, new RegExp(swapped));
});

test("a signed digest with another size fails", async () => {
  const measured = [{ digest: files[0]!.digest, size: 8 }];
  assert.equal((await reasonOf(filesMatch, { request: { files: measured } })).pass, false);
});

test("a load that measured nothing fails", async () => {
  const reason = await reasonOf(filesMatch, { request: { files: [] } });
  assert.deepEqual(reason, { pass: false, message: "no file was measured" });
});

test("a model statement fails when its files are not exactly the signed ones", async () => {
  const signature = await by("publisher", signatureOf());
  const [first, second] = files as [(typeof files)[0], (typeof files)[0]];
  for (const [changed, why] of [
    [[{ ...first, digest: swapped }, second], /was signed/],
    [[...files, { name: "extra.bin", digest: swapped, size: 1 }], /extra\.bin is not covered/],
    [[first], /README\.md was signed, but/],
  ] as const) {
    const model = await by("publisher", modelOf(signature, { files: changed }));
    const reason = await reasonOf(filesMatch, { signature, model, request: { gate: "release" } });
    assert.equal(reason.pass, false);
    assert.match(reason.message, why);
  }
});

test("without a model signature there is nothing to compare with", async () => {
  const signature = await by("stranger", signatureOf());
  const model = await by("publisher", modelOf(signature));
  assert.equal((await reasonOf(filesMatch, { signature, model })).pass, false);
});
