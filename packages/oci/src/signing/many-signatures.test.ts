import assert from "node:assert/strict";
import { test } from "node:test";
import { generatePrivateKeyPem, publicKeyOfPem, publicKeyPem, statementSignerFromPem, utf8 } from "@tally/evidence";
import { type FileEntry, memoryFile } from "../tar/index.ts";
import { signModel, verifyModel } from "./index.ts";

test("attack: a stranger's signatures have a large model hashed once for each of them", async () => {
  const [stranger, own] = [generatePrivateKeyPem("p-256"), generatePrivateKeyPem("p-256")];
  const model = memoryFile("model.onnx", utf8("weights"));
  const signed = async (pem: string) =>
    (await signModel({ files: [model], signer: statementSignerFromPem(pem) })).bundle;
  let read = 0;
  const content: FileEntry["content"] = () => {
    read += 1;
    return model.content();
  };
  const publicPem = publicKeyPem(publicKeyOfPem(own).spki);
  const judged = async (pem: string) => {
    const files = [{ ...model, content }];
    return verifyModel({ bundle: await signed(pem), files, publicKeyPem: publicPem, filesOfGoodOnly: true });
  };
  const { outcome, checks } = await judged(stranger);
  assert.deepEqual([outcome, checks.map(({ name }) => name)], ["bad", ["bundle", "signature", "statement"]]);
  assert.equal(read, 0);
  assert.equal((await judged(own)).outcome, "good");
  assert.equal(read, 1);
});
