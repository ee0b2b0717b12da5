import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  approvalStatement,
  generatePrivateKeyPem,
  parseDigest,
  publicKeyOfPem,
  signStatement,
  statementSignerFromPem,
} from "@tally/evidence";
import { ImageLayout } from "../layout/index.ts";
import { packModelKit } from "../modelkit/index.ts";
import { memoryFile } from "../tar/index.ts";
import { attach, attachmentManifest, bundleMediaType, keyBundle, parseModelBundle, signModel } from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "tally-attach-"));
after(() => rmSync(root, { recursive: true, force: true }));

const created = new Date("2026-01-02T03:04:05.678Z");
const privateKeyPem = generatePrivateKeyPem("p-256");
const files = [memoryFile("model.onnx", new TextEncoder().encode("weights"))];
const kitfile = { manifestVersion: "1.0.0", model: { path: "model.onnx" } };

test("a model signature hangs on its artifact as cosign 3 expects it", async () => {
  const layout = await ImageLayout.create(join(root, "layout"));
  const { descriptor: subject } = await packModelKit({ files, kitfile, target: layout });
  const { bundle } = await signModel({ files, signer: statementSignerFromPem(privateKeyPem) });
  const { digest } = await attach(layout, { subject, bundle, created });
  const [found, ...others] = await Array.fromAsync(layout.referrers(subject.digest, bundleMediaType));
  assert.equal(found?.digest, digest);
  assert.deepEqual(others, []);
  const { bytes } = await layout.resolve(digest);
  assert.deepEqual(JSON.parse(Buffer.from(bytes).toString()), {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    artifactType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    config: {
      mediaType: "application/vnd.oci.empty.v1+json",
      digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      size: 2,
    },
    layers: [
      {
        mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
        digest: found?.annotations && attachmentManifest({ subject, bundle, created }).layer.digest,
        size: bundle.length,
      },
    ],
    subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    annotations: {
      "dev.sigstore.bundle.content": "dsse-envelope",
      "dev.sigstore.bundle.predicateType": "https://model_signing/signature/v1.0",
      "org.opencontainers.image.created": "2026-01-02T03:04:05Z",
    },
  });
});

test("any signed statement can hang on an artifact in a bundle of its own", async () => {
  const layout = await ImageLayout.create(join(root, "statements"));
  const { descriptor: subject } = await packModelKit({ files, kitfile, target: layout });
  const manifest = parseDigest(subject.digest);
  const statement = approvalStatement({ manifest, decision: "approved", evaluated: [] });
  const envelope = await signStatement(statement, statementSignerFromPem(privateKeyPem));
  const bundle = keyBundle(envelope, publicKeyOfPem(privateKeyPem).spki);
  assert.equal(parseModelBundle(bundle).envelope.digest, envelope.digest);
  await attach(layout, { subject, bundle, created });
  const [found] = await Array.fromAsync(layout.referrers(subject.digest, bundleMediaType));
  assert.equal(found?.annotations?.["dev.sigstore.bundle.predicateType"], "urn:tally:approval:v1");
});

test("what is no bundle cannot be attached", () => {
  const subject = {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: parseDigest(`sha256:${"0".repeat(64)}`),
    size: 1,
  };
  assert.throws(() => attachmentManifest({ subject, bundle: new Uint8Array(3), created }), {
    code: "signature-invalid",
  });
});
