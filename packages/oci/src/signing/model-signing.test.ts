import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  encodeJson,
  generatePrivateKeyPem,
  type JsonObject,
  modelSignatureStatement,
  pae,
  payloadType,
  publicKeyOfPem,
  publicKeyPem,
  statementSignerFromPem,
  toBase64,
} from "@tally/evidence";
import { type FileEntry, memoryFile } from "../tar/index.ts";
import { parseModelBundle, requireGood, type SignOptions, signModel, verifyModel } from "./index.ts";

const privateKeyPem = generatePrivateKeyPem("p-256");
const publicPem = (pem: string) => publicKeyPem(publicKeyOfPem(pem).spki);
const bytesOf = (text: string) => new TextEncoder().encode(text);
const files = [
  memoryFile("a-b", bytesOf("dash")),
  memoryFile("a/b", bytesOf("folder")),
  memoryFile("model.onnx", bytesOf("weights of a model")),
  memoryFile("empty", new Uint8Array()),
];

function verify(bundle: Uint8Array, changed: readonly FileEntry[] = files, more: object = {}) {
  return verifyModel({ bundle, files: changed, publicKeyPem: publicPem(privateKeyPem), ...more });
}

async function sign(options: Partial<SignOptions> = {}) {
  return signModel({ files, signer: statementSignerFromPem(privateKeyPem), name: "model", ...options });
}

for (const [name, options] of [
  ["whole files", {}],
  ["shards", { serialization: { method: "shards", shardSize: 5 } }],
] as const) {
  test(`a model signed over ${name} verifies, and no changed one does`, async () => {
    const { bundle, signature } = await sign(options);
    const report = requireGood(await verify(bundle));
    assert.equal(report.signature?.model, signature.model);
    const [first, ...rest] = files;
    for (const [changed, why] of [
      [[memoryFile("a-b", bytesOf("dush")), ...rest], /a-b.* was signed/],
      [[memoryFile("a-b", bytesOf("dashing")), ...rest], /a-b/],
      [rest, /a-b.* not there/],
      [[...files, memoryFile("added", bytesOf("x"))], /added.* not signed/],
      [[memoryFile("a-c", bytesOf("dash")), ...rest], /a-b.* not there/],
      [[memoryFile("a-b", bytesOf("das")), ...rest], /a-b/],
    ] as const) {
      const bad = await verify(bundle, changed);
      assert.equal(bad.outcome, "bad");
      assert.match(bad.checks.find((check) => check.name === "files")?.message ?? "", why);
      assert.throws(() => requireGood(bad), { code: "signature-invalid" });
    }
    assert.equal(
      (await verify(bundle, [...files, memoryFile("added", bytesOf("x"))], { ignoreUnsignedFiles: true })).outcome,
      "good",
    );
    assert.equal((await verify(bundle, rest, { ignoreUnsignedFiles: true })).outcome, "bad");
    assert.ok(first);
  });
}

test("resources are sorted by code point, so a-b comes before a/b", async () => {
  const { signature } = await sign();
  assert.deepEqual(
    signature.resources.map((resource) => resource.path),
    ["a-b", "a/b", "empty", "model.onnx"],
  );
});

test("the same files and key give the same statement, whatever their order", async () => {
  const one = await sign();
  const two = await sign({ files: [...files].reverse() });
  assert.deepEqual(one.envelope.payload, two.envelope.payload);
});

test("a signature by a tool that sorts otherwise is verified in its stored order", async () => {
  const { signature } = await sign();
  const { model: _, ...parts } = signature;
  const reordered = modelSignatureStatement({ ...parts, resources: [...signature.resources].reverse() });
  assert.equal((await verify(await resigned(reordered as unknown as JsonObject))).outcome, "good");
});

test("resources in another order than the subject was computed in contradict it", async () => {
  const { envelope } = await sign();
  const statement = JSON.parse(Buffer.from(envelope.payload).toString());
  statement.predicate.resources.reverse();
  const report = await verify(await resigned(statement));
  assert.deepEqual(
    report.checks.map(({ name, result }) => `${name} ${result}`),
    ["bundle good", "signature good", "statement bad"],
  );
});

test("P-384 keys sign and verify; Ed25519 keys are refused", async () => {
  const pem = generatePrivateKeyPem("p-384");
  const { bundle } = await sign({ signer: statementSignerFromPem(pem) });
  assert.equal((await verify(bundle, files, { publicKeyPem: publicPem(pem) })).outcome, "good");
  await assert.rejects(sign({ signer: statementSignerFromPem(generatePrivateKeyPem("ed25519")) }), {
    code: "signature-invalid",
  });
});

test("shards whose hash the reference tool spells with their size are read, with another size they are not", async () => {
  const serialization = { method: "shards", shardSize: 5 } as const;
  const { bundle, envelope } = await sign({ serialization, dialect: "model_signing" });
  const statement = JSON.parse(Buffer.from(envelope.payload).toString());
  assert.equal(statement.predicate.resources[0].algorithm, "sha256-sharded-5");
  assert.equal((await verify(bundle)).outcome, "good");
  statement.predicate.resources[0].algorithm = "sha256-sharded-6";
  const report = await verify(await resigned(statement));
  assert.match(report.checks.find(({ name }) => name === "statement")?.message ?? "", /expected one of/);
});

test("links stand for what they lead to where that is allowed, and a loop of them is refused", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "tally-links-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, "model", "sub"), { recursive: true });
  writeFileSync(join(dir, "outside"), "weights");
  symlinkSync("../outside", join(dir, "model", "link"));
  await assert.rejects(sign({ files: join(dir, "model") }), { code: "archive-invalid" });
  const { bundle, signature } = await sign({ files: join(dir, "model"), allowSymlinks: true });
  assert.deepEqual(
    signature.resources.map(({ path }) => path),
    ["link"],
  );
  const verifyThere = () => verifyModel({ bundle, files: join(dir, "model"), publicKeyPem: publicPem(privateKeyPem) });
  assert.equal((await verifyThere()).outcome, "good");
  writeFileSync(join(dir, "outside"), "changed");
  assert.equal((await verifyThere()).outcome, "bad");
  symlinkSync("..", join(dir, "model", "sub", "up"));
  await assert.rejects(sign({ files: join(dir, "model"), allowSymlinks: true }), /leads back/);
});

test("another key does not verify, and without a key nothing is claimed", async () => {
  const { bundle } = await sign();
  const other = await verify(bundle, files, { publicKeyPem: publicPem(generatePrivateKeyPem("p-256")) });
  assert.equal(other.outcome, "bad");
  assert.match(other.checks[1]?.message ?? "", /another key/);
  assert.equal((await verify(bundle, files, { publicKeyPem: undefined })).outcome, "not made");
});

test("an attacker who changes the payload and keeps the signature is caught", async () => {
  const { bundle } = await sign();
  const json = JSON.parse(Buffer.from(bundle).toString());
  const statement = JSON.parse(Buffer.from(json.dsseEnvelope.payload, "base64").toString());
  statement.predicate.serialization.ignore_paths.push("model.onnx");
  json.dsseEnvelope.payload = toBase64(encodeJson(statement));
  const report = await verify(encodeJson(json), [...files.slice(0, 2), memoryFile("model.onnx", bytesOf("evil"))]);
  assert.equal(report.checks.find((check) => check.name === "signature")?.result, "bad");
});

test("an attacker who signs with their own key and keeps the publisher's hint is caught", async () => {
  const attacker = await sign({ signer: statementSignerFromPem(generatePrivateKeyPem("p-256")) });
  const json = JSON.parse(Buffer.from(attacker.bundle).toString());
  const honest = JSON.parse(Buffer.from((await sign()).bundle).toString());
  json.verificationMaterial = honest.verificationMaterial;
  assert.equal((await verify(encodeJson(json))).outcome, "bad");
});

test("ignored paths are left out when signing and said when verifying; patterns are no paths", async () => {
  const { bundle, signature } = await sign({ ignorePaths: ["a"] });
  assert.deepEqual(signature.ignorePaths, [".git", ".gitattributes", ".github", ".gitignore", "Kitfile", "a"]);
  const report = await verify(bundle, [
    ...files,
    memoryFile(".git/config", bytesOf("x")),
    memoryFile("Kitfile", bytesOf("x")),
  ]);
  assert.equal(report.outcome, "good", JSON.stringify(report.checks));
  assert.match(report.checks[3]?.message ?? "", /3 in ignored paths/);
  assert.equal((await verify(bundle, [...files, memoryFile("sub/.git/x", bytesOf("x"))])).outcome, "bad");
  for (const path of ["*.onnx", "../a", "/a", ""]) {
    await assert.rejects(sign({ ignorePaths: [path] }), { code: "signature-invalid" }, path);
  }
});

test("a model without files cannot be signed", async () => {
  await assert.rejects(sign({ files: [] }), { code: "not-found" });
  await assert.rejects(sign({ files: [memoryFile(".gitignore", bytesOf("x"))] }), { code: "not-found" });
});

test("the bundle's envelope has one form, and is what a ledger commits to", async () => {
  const { bundle, envelope } = await sign();
  assert.equal(parseModelBundle(bundle).envelope.digest, envelope.digest);
  const spaced = Buffer.from(JSON.stringify(JSON.parse(Buffer.from(bundle).toString()), null, 4));
  assert.equal(parseModelBundle(spaced).envelope.digest, envelope.digest);
});

for (const [fault, change] of [
  [
    "another media type",
    (b: JsonObject) => ({ ...b, mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.2" }),
  ],
  ["an unknown field", (b: JsonObject) => ({ ...b, messageSignature: {} })],
  ["no material", ({ verificationMaterial: _, ...b }: JsonObject) => b],
  ["an empty hint", (b: JsonObject) => ({ ...b, verificationMaterial: { publicKey: { hint: "" } } })],
  [
    "two kinds of material",
    (b: JsonObject) => ({ ...b, verificationMaterial: { publicKey: { hint: "a" }, certificate: { rawBytes: "" } } }),
  ],
  [
    "no certificates",
    (b: JsonObject) => ({ ...b, verificationMaterial: { x509CertificateChain: { certificates: [] } } }),
  ],
  [
    "a certificate that is none",
    (b: JsonObject) => ({
      ...b,
      verificationMaterial: { x509CertificateChain: { certificates: [{ rawBytes: "AAAA" }] } },
    }),
  ],
  [
    "a log that is no list",
    (b: JsonObject) => ({ ...b, verificationMaterial: { publicKey: { hint: "a" }, tlogEntries: {} } }),
  ],
  ["no signatures", (b: JsonObject) => ({ ...b, dsseEnvelope: { ...(b.dsseEnvelope as JsonObject), signatures: [] } })],
  [
    "another payload type",
    (b: JsonObject) => ({ ...b, dsseEnvelope: { ...(b.dsseEnvelope as JsonObject), payloadType: "text/plain" } }),
  ],
] as const) {
  test(`a bundle with ${fault} is refused`, async () => {
    const json = JSON.parse(Buffer.from((await sign()).bundle).toString()) as JsonObject;
    assert.throws(() => parseModelBundle(encodeJson(change(json))), { code: "signature-invalid" });
  });
}

/** The statement signed with the publisher's key, as a signer with other habits might have made it. */
async function resigned(statement: JsonObject): Promise<Uint8Array> {
  const payload = encodeJson(statement);
  const sig = toBase64(await statementSignerFromPem(privateKeyPem).sign(pae(payloadType, payload)));
  const json = JSON.parse(Buffer.from((await sign()).bundle).toString());
  return encodeJson({ ...json, dsseEnvelope: { payload: toBase64(payload), payloadType, signatures: [{ sig }] } });
}
