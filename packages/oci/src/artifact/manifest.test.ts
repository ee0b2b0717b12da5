import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OciError } from "../error.ts";
import { contentDigestOf } from "../storage/content-digest.ts";
import { describe, emptyBytes, emptyDescriptor } from "./descriptor.ts";
import { encodeImageIndex, encodeImageManifest, parseManifest, partsOf, referrerDescriptor } from "./manifest.ts";
import { mediaTypes } from "./media-types.ts";

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const layer = describe("application/vnd.example.model", bytes("weights"));
const valid = { schemaVersion: 2, mediaType: mediaTypes.imageManifest, config: emptyDescriptor, layers: [layer] };

test("a manifest written here is read here, with the same bytes for the same parts", () => {
  const parts = {
    artifactType: "application/vnd.example",
    layers: [layer],
    subject: describe(mediaTypes.imageManifest, bytes(1)),
    annotations: { a: "b" },
  };
  const written = encodeImageManifest(parts);
  assert.deepEqual(encodeImageManifest(parts), written);
  const manifest = parseManifest(written.bytes, mediaTypes.imageManifest);
  assert.equal(manifest.kind, "image");
  assert.deepEqual(partsOf(manifest), [emptyDescriptor, layer]);
  assert.deepEqual(manifest.subject, parts.subject);
  assert.deepEqual(contentDigestOf(emptyBytes), emptyDescriptor.digest);
});

test("an index lists manifests and nothing else", () => {
  const index = parseManifest(encodeImageIndex([layer]).bytes);
  assert.deepEqual(partsOf(index), [layer]);
});

test("content that lies at other addresses is no part that a registry must hold", () => {
  const foreign = { ...layer, urls: ["https://example.org/layer"] };
  assert.deepEqual(partsOf(parseManifest(bytes({ ...valid, layers: [foreign] }))), [emptyDescriptor]);
});

test("the config's type stands for an absent artifact type in a list of referrers", () => {
  const { digest } = layer;
  assert.equal(referrerDescriptor(parseManifest(bytes(valid)), digest, 1).artifactType, mediaTypes.empty);
  const typed = parseManifest(bytes({ ...valid, artifactType: "a/b", annotations: { x: "y" } }));
  assert.deepEqual(referrerDescriptor(typed, digest, 1), {
    mediaType: mediaTypes.imageManifest,
    digest,
    size: 1,
    artifactType: "a/b",
    annotations: { x: "y" },
  });
  assert.equal(referrerDescriptor(parseManifest(encodeImageIndex([]).bytes), digest, 1).artifactType, undefined);
});

const wrong: [why: string, value: unknown, code?: string][] = [
  ["no object", [valid]],
  ["another schema version", { ...valid, schemaVersion: 1 }],
  ["an unknown type", { ...valid, mediaType: "application/json" }, "media-type-invalid"],
  ["no type at all", { ...valid, mediaType: undefined }, "media-type-invalid"],
  ["both kinds at once", { ...valid, manifests: [] }],
  ["no config", { ...valid, config: undefined }],
  ["layers that are no list", { ...valid, layers: {} }],
  ["a negative size", { ...valid, layers: [{ ...layer, size: -1 }] }],
  ["a size of one and a half", { ...valid, layers: [{ ...layer, size: 1.5 }] }],
  ["a digest in capitals", { ...valid, layers: [{ ...layer, digest: layer.digest.toUpperCase() }] }],
  ["embedded content that is other content", { ...valid, layers: [{ ...layer, data: "AAAA" }] }],
  ["an annotation that is a number", { ...valid, annotations: { a: 1 } }],
  ["a subject without a digest", { ...valid, subject: { mediaType: "a/b", size: 1 } }],
];
for (const [why, value, code = "manifest-invalid"] of wrong) {
  test(`a manifest with ${why} is refused`, () => {
    assert.throws(() => parseManifest(bytes(value)), { name: "OciError", code });
  });
}

test("a transport that calls a manifest something else than it calls itself is refused", () => {
  assert.throws(() => parseManifest(bytes(valid), mediaTypes.imageIndex), { code: "media-type-invalid" });
  assert.throws(() => parseManifest(new Uint8Array([0xff])), { code: "manifest-invalid" });
  assert.throws(() => parseManifest(new Uint8Array(4 * 1024 * 1024 + 1)), { code: "too-large" });
});

test("whatever JSON arrives, the parser answers with a manifest or one of its own errors", () => {
  const shaped = fc.record({ ...Object.fromEntries(Object.keys(valid).map((key) => [key, fc.jsonValue()])) });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), shaped), (value) => {
      try {
        parseManifest(bytes(value), mediaTypes.imageManifest);
      } catch (error) {
        assert.ok(error instanceof OciError);
      }
    }),
  );
});
