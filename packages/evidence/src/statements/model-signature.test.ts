import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { toBase64, utf8 } from "../bytes.ts";
import type { JsonObject } from "../content/i-json.ts";
import { digestOf } from "../digest.ts";
import {
  modelDigest,
  modelSignatureStatement,
  parseEnvelope,
  parseModelSignature,
  publicIdentityFromPem,
  type Statement,
  verifyEnvelope,
} from "./index.ts";

const vectors = new URL("../../../../../shared/vectors/model-signing/", import.meta.url);
const skip = existsSync(vectors) ? false : "the published vectors are not here";
const read = (path: string) => readFileSync(new URL(path, vectors), "utf8");
const envelopeIn = (bundle: string) =>
  parseEnvelope(utf8(JSON.stringify((JSON.parse(bundle) as { dsseEnvelope: JsonObject }).dsseEnvelope)));

const a = { path: "a-b", digest: digestOf(utf8("1")) };
const b = { path: "a/b", digest: digestOf(utf8("2")) };
const signature = {
  name: "m",
  resources: [b, a],
  method: "files",
  allowSymlinks: false,
  ignorePaths: [".git"],
} as const;

test("published bundles are read, and their subjects are the digests of their resources", { skip }, () => {
  for (const name of readdirSync(new URL("v1.0/valid/", vectors))) {
    const parsed = parseModelSignature(envelopeIn(read(`v1.0/valid/${name}`)).statement);
    assert.deepEqual(
      parsed.resources.map(({ path }) => path),
      ["signme-1", "signme-2"],
      name,
    );
  }
});

test("a published bundle with another predicate is refused", { skip }, () => {
  const { statement } = envelopeIn(read("v1.0/invalid-payload/wrong-predicate.bundle.json"));
  assert.throws(() => parseModelSignature(statement), { code: "statement-invalid", message: /wrong-predicate/ });
});

test("a model signed by the reference tool verifies with its key, and its files are the ones signed", { skip }, () => {
  const folder = "signed-models/v1.0.0-elliptic-key/";
  const envelope = envelopeIn(read(`${folder}model.sig`));
  const key = publicIdentityFromPem(read("signed-models/keys/signing-key-pub.pem"));
  assert.deepEqual(verifyEnvelope(envelope, [key]), [key]);
  const { resources } = parseModelSignature(envelope.statement);
  const bytes = new Uint8Array(readFileSync(new URL(`${folder}signme-1`, vectors)));
  assert.deepEqual(resources, [{ path: ".", digest: digestOf(bytes) }]);
});

test("a signature comes back as it was, its resources in the order in which they were signed", () => {
  const statement = modelSignatureStatement(signature);
  assert.deepEqual(parseModelSignature(statement), { ...signature, model: modelDigest([b, a]) });
  assert.notEqual(modelDigest([b, a]), modelDigest([a, b]));
});

test("shards carry their ranges in their names", () => {
  const resources = [
    { path: "w:eights", digest: a.digest, range: { start: 0, end: 100 } },
    { path: "w:eights", digest: b.digest, range: { start: 100, end: 150 } },
  ];
  const shards = { ...signature, method: "shards", shardSize: 100, resources } as const;
  assert.deepEqual(parseModelSignature(modelSignatureStatement(shards)), { ...shards, model: modelDigest(resources) });
});

test("an attacker who reorders, renames twice or swaps a resource is noticed", () => {
  const statement = modelSignatureStatement(signature);
  const predicate = statement.predicate as { resources: JsonObject[]; serialization: JsonObject };
  const [first, second] = predicate.resources as [JsonObject, JsonObject];
  const refuses = (resources: JsonObject[], message: RegExp) => {
    const changed: Statement = { ...statement, predicate: { ...predicate, resources } };
    assert.throws(() => parseModelSignature(changed), { code: "statement-invalid", message });
  };
  refuses([second, first], /not the digest of the resources/);
  refuses([first], /not the digest of the resources/);
  refuses([first, { ...second, digest: "00".repeat(32) }], /not the digest of the resources/);
  refuses([first, { ...second, name: "a/b" }], /named twice/);
  refuses([first, { ...second, digest: toBase64(new Uint8Array(32)) }], /resources\[1\]\.digest: expected 64/);
  refuses([], /at least one/);
});

test("hashes other than SHA-256 are said to be unsupported, and shards need a size", () => {
  const statement = modelSignatureStatement(signature);
  const serialization = statement.predicate.serialization as JsonObject;
  const withSerialization = (change: JsonObject): Statement => {
    return { ...statement, predicate: { ...statement.predicate, serialization: { ...serialization, ...change } } };
  };
  assert.throws(() => parseModelSignature(withSerialization({ hash_type: "blake3" })), { code: "not-supported" });
  assert.throws(() => parseModelSignature(withSerialization({ method: "shards" })), { message: /shard_size/ });
  assert.throws(() => parseModelSignature(withSerialization({ shard_size: 10 })), { message: /shard_size/ });
  assert.throws(() => parseModelSignature(withSerialization({ method: "shards", shard_size: 10 })), {
    message: /resources\[0\]\.name: expected path:start:end/,
  });
});
