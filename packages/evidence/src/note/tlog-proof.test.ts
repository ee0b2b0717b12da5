import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../bytes.ts";
import { sha256 } from "../digest.ts";
import { formatTlogProof, parseTlogProof, type TlogProof } from "./index.ts";

const invalid = { name: "EvidenceError", code: "proof-invalid" };
const checkpoint =
  "example.com/log\n4\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.com/log Az3grlgtzPIC\n";
const proof: TlogProof = { index: 3, hashes: [sha256(utf8("a")), sha256(utf8("b"))], checkpoint };

test("a proof is a header, the index, the hashes and the checkpoint as it was signed", () => {
  const text = formatTlogProof(proof);
  assert.equal(
    text,
    `c2sp.org/tlog-proof@v1
index 3
ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=
PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0=

${checkpoint}`,
  );
  assert.deepEqual(parseTlogProof(text), proof);
});

test("extra data comes back, and none is left out", () => {
  const extra = utf8("a record's nonce");
  assert.deepEqual(parseTlogProof(formatTlogProof({ ...proof, extra })), { ...proof, extra });
  assert.equal(formatTlogProof({ ...proof, extra: new Uint8Array(0) }), formatTlogProof(proof));
});

test("a tree of one entry has a proof without hashes", () => {
  const single: TlogProof = { index: 0, hashes: [], checkpoint };
  assert.deepEqual(parseTlogProof(formatTlogProof(single)), single);
});

test("what is not exactly a proof is refused", () => {
  const text = formatTlogProof({ ...proof, extra: utf8("x") });
  const cases = {
    "another version": text.replace("@v1", "@v2"),
    "a leading zero": text.replace("index 3", "index 03"),
    "no index": text.replace("index 3\n", ""),
    "two indices": text.replace("index 3\n", "index 3\nindex 3\n"),
    "extra after the index": text.replace("extra eA==\nindex 3\n", "index 3\nextra eA==\n"),
    "empty extra": text.replace("extra eA==", "extra "),
    "a short hash": text.replace("ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=", "ypeB"),
    "no empty line": "c2sp.org/tlog-proof@v1\nindex 3\n",
    "64 hashes": formatTlogProof({ ...proof, hashes: Array.from({ length: 64 }, () => sha256()) }),
    nothing: "",
  };
  for (const [what, wrong] of Object.entries(cases)) assert.throws(() => parseTlogProof(wrong), invalid, what);
  assert.throws(() => parseTlogProof(text.replace("\n4\n", "\n04\n")), { code: "checkpoint-invalid" });
});
