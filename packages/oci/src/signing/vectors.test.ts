// The published vectors of OpenSSF Model Signing are read where they lie; the tests say so and skip where they do not.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { generatePrivateKeyPem, statementSignerFromPem } from "@tally/evidence";
import { Ajv2020 } from "ajv/dist/2020.js";
import { listFiles, memoryFile } from "../tar/index.ts";
import { parseModelBundle, signModel, verifyModel } from "./index.ts";
import { verifyBundleSignature } from "./verify-signature.ts";

const vectors = fileURLToPath(new URL("../../../../../shared/vectors/model-signing/", import.meta.url));
const skip = existsSync(vectors) ? false : "the published vectors are not on this machine";
const read = (path: string) => readFileSync(vectors + path);
const publicKeyPem = () => read("signed-models/keys/signing-key-pub.pem").toString();
const trustedCertificatesPem = () => read("signed-models/keys/ca-cert.pem").toString();
/** The vectors' certificates are valid from 2025 to 2035. */
const at = new Date("2026-01-01T00:00:00Z");

test("every bundle that is published as valid is read", { skip }, () => {
  const names = readdirSync(`${vectors}v1.0/valid`);
  assert.ok(names.length >= 3);
  for (const name of names) {
    const { material, envelope } = parseModelBundle(read(`v1.0/valid/${name}`));
    assert.equal(material.kind, name.split(".")[0]);
    assert.equal(envelope.statement.predicateType, "https://model_signing/signature/v1.0");
  }
});

test("the valid bundles by key and by certificate have good signatures", { skip }, async () => {
  const trust = { publicKeyPem: "", trustedCertificatesPem: "", at };
  if (skip === false)
    Object.assign(trust, { publicKeyPem: publicKeyPem(), trustedCertificatesPem: trustedCertificatesPem() });
  const verify = (name: string) => {
    const bundle = parseModelBundle(read(`v1.0/valid/${name}.bundle.json`));
    return verifyBundleSignature(bundle, bundle.envelope, trust);
  };
  const byKey = await verify("key");
  assert.equal(byKey.signer.algorithm, "p-384");
  const byCertificate = await verify("certificate");
  assert.equal(byCertificate.signer.keyId, byKey.signer.keyId);
  assert.deepEqual(
    byCertificate.certificates?.map(({ subject }) => subject),
    ["CN=intermediate-ca", "CN=intermediate-ca", "CN=root-ca"],
  );
});

test("every bundle that is published as invalid is refused, and verifying it reports that", { skip }, async () => {
  const names = readdirSync(`${vectors}v1.0/invalid`);
  assert.ok(names.length >= 4);
  for (const name of names) {
    const bundle = read(`v1.0/invalid/${name}`);
    assert.throws(() => parseModelBundle(bundle), { code: "signature-invalid" }, name);
    const report = await verifyModel({ bundle, files: [], publicKeyPem: publicKeyPem() });
    assert.equal(report.outcome, "bad", name);
    assert.deepEqual(
      report.checks.map((check) => check.name),
      ["bundle"],
    );
  }
});

test("a payload that is published as invalid makes the statement bad", { skip }, async () => {
  for (const name of readdirSync(`${vectors}v1.0/invalid-payload`)) {
    const report = await verifyModel({
      bundle: read(`v1.0/invalid-payload/${name}`),
      files: [],
      publicKeyPem: publicKeyPem(),
    });
    assert.equal(report.outcome, "bad");
    assert.equal(report.checks.find((check) => check.name === "statement")?.result, "bad");
  }
});

async function verifySigned(model: string, file?: string, more: object = {}) {
  const folder = `${vectors}signed-models/${model}`;
  return verifyModel({
    bundle: read(`signed-models/${model}/model.sig`),
    files: file === undefined ? await listFiles(folder, ["model.sig"]) : `${folder}/${file}`,
    publicKeyPem: publicKeyPem(),
    trustedCertificatesPem: trustedCertificatesPem(),
    at,
    ...more,
  });
}

test("the model that the reference tool signed with a P-384 key is good, though its one file is called .", {
  skip,
}, async () => {
  const report = await verifySigned("v1.0.0-elliptic-key", "signme-1");
  assert.equal(report.outcome, "good", JSON.stringify(report.checks));
});

test("the model that the reference tool signed by certificate is good", { skip }, async () => {
  const report = await verifySigned("v1.0.0-certificate");
  assert.equal(report.outcome, "good", JSON.stringify(report.checks));
  assert.equal(report.certificates?.length, 3);
});

test("a certificate is not good without its root, nor after it has expired", { skip }, async () => {
  const other = { trustedCertificatesPem: read("signed-models/keys/signing-key-cert.pem").toString() };
  assert.equal((await verifySigned("v1.0.0-certificate", undefined, other)).outcome, "good");
  const late = await verifySigned("v1.0.0-certificate", undefined, { at: new Date("2040-01-01") });
  assert.equal(late.outcome, "bad");
  assert.match(late.checks[1]?.message ?? "", /valid from/);
  const untrusted = await verifySigned("v1.0.0-certificate", undefined, { trustedCertificatesPem: undefined });
  assert.equal(untrusted.outcome, "not made");
});

test("the keyless signature is read, its files are compared, and its signature is reported as not checked", {
  skip,
}, async () => {
  const report = await verifySigned("v1.0.0-sigstore");
  assert.equal(report.outcome, "not made");
  assert.deepEqual(
    report.checks.map(({ name, result }) => `${name} ${result}`),
    ["bundle good", "signature not made", "statement good", "files good"],
  );
  assert.equal(report.signer, undefined);
});

test("bundles written here satisfy the published schemas", { skip }, async () => {
  const ajv = new Ajv2020({ strict: false });
  for (const name of ["predicate", "statement", "envelope", "bundle"]) {
    ajv.addSchema(JSON.parse(read(`schemas/${name}.schema.json`).toString()));
  }
  for (const serialization of [{ method: "files" }, { method: "shards", shardSize: 3 }] as const) {
    const { bundle, envelope } = await signModel({
      files: [memoryFile("weights.bin", new Uint8Array(10))],
      signer: statementSignerFromPem(generatePrivateKeyPem("p-256")),
      serialization,
    });
    const json = JSON.parse(Buffer.from(bundle).toString());
    assert.ok(ajv.validate("https://model_signing/bundle/v1.0/schema", json), ajv.errorsText());
    const statement = JSON.parse(Buffer.from(envelope.payload).toString());
    assert.ok(ajv.validate("https://model_signing/statement/v1.0/schema", statement), ajv.errorsText());
  }
});
