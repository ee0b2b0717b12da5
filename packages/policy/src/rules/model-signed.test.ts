import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, utf8 } from "@tally/evidence";
import { modelSigned } from "./model-signed.ts";
import { by, modelOf, reasonOf, signatureOf, trustWith } from "./story.ts";

test("a model passes when someone who may sign models signed its statement and its files", async () => {
  assert.deepEqual(await reasonOf(modelSigned), { pass: true, message: "signed by publisher" });
});

test("a model signed by a stranger's key fails", async () => {
  const signature = await by("stranger", signatureOf());
  const reason = await reasonOf(modelSigned, { signature, model: await by("stranger", modelOf(signature)) });
  assert.equal(reason.pass, false);
  assert.match(reason.message, /no statement of a known signer/);
});

test("a model signed by someone who may only approve fails and names them", async () => {
  const signature = await by("reviewer", signatureOf());
  const reason = await reasonOf(modelSigned, { signature, model: await by("reviewer", modelOf(signature)) });
  assert.deepEqual(reason, { pass: false, message: "reviewer may not sign models of models/breast-cancer" });
});

test("a model statement by the publisher over files that a stranger signed fails", async () => {
  const signature = await by("stranger", signatureOf());
  const reason = await reasonOf(modelSigned, { signature, model: await by("publisher", modelOf(signature)) });
  assert.equal(reason.pass, false);
});

test("a model statement that names an absent signature fails", async () => {
  const absent = await by("publisher", signatureOf());
  const reason = await reasonOf(modelSigned, { model: await by("publisher", modelOf(absent)) });
  assert.equal(reason.pass, false);
});

test("a statement about another manifest or for another repository does not make this one a model", async () => {
  const signature = await by("publisher", signatureOf());
  for (const changes of [{ manifest: digestOf(utf8("another")) }, { repository: "models/other" }]) {
    const model = await by("publisher", modelOf(signature, changes));
    assert.equal((await reasonOf(modelSigned, { signature, model })).pass, false);
  }
});

test("a key limited to a period counts only for what is proven to be signed within it", async () => {
  const trust = trustWith({}, { from: 1000, until: 2000 });
  assert.equal((await reasonOf(modelSigned, { trust, atMs: 1500 })).pass, true);
  assert.equal((await reasonOf(modelSigned, { trust, atMs: 2500 })).pass, false);
  assert.equal((await reasonOf(modelSigned, { trust })).pass, false);
});
