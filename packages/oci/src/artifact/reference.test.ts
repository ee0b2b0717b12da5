import assert from "node:assert/strict";
import { test } from "node:test";
import { contentDigestOf } from "../storage/content-digest.ts";
import { parseArtifactName, parseManifestReference, parseRepository, parseTag, referrersTag } from "./reference.ts";

const digest = contentDigestOf(new Uint8Array());

test("repository names follow the specification's grammar", () => {
  for (const good of ["a", "models/breast-cancer", "a.b__c/d--e", "0/1/2"]) assert.equal(parseRepository(good), good);
  for (const bad of [
    "",
    "A",
    "a//b",
    "/a",
    "a/",
    "a_",
    "a___b",
    "a..b",
    "../etc",
    "a b",
    "a\n",
    "é",
    "a".repeat(256),
  ]) {
    assert.throws(() => parseRepository(bad), { code: "name-invalid" }, bad);
  }
});

test("a name with a registry's host before it is refused with the name that is meant", () => {
  for (const host of ["127.0.0.1:5000/", "registry.example:443/", "http://registry.example/", "oci://r:1/"]) {
    const hint = "a name here has no host, since the registry is named by itself: models/cancer";
    assert.throws(() => parseRepository(`${host}models/cancer`), { code: "name-invalid", hint }, host);
  }
});

test("a name of many separators is judged without delay", () => {
  assert.throws(() => parseRepository(`${"a-".repeat(127)}!`), { code: "name-invalid" });
});

test("tags follow the specification's grammar", () => {
  for (const good of ["v1", "_", "1.0-rc_2", "a".repeat(128)]) assert.equal(parseTag(good), good);
  for (const bad of ["", ".a", "-a", "a/b", "a:b", "a".repeat(129), "a\n"]) {
    assert.throws(() => parseTag(bad), { code: "name-invalid" }, bad);
  }
});

test("a reference with a colon is a digest, any other a tag", () => {
  assert.deepEqual(parseManifestReference(digest), { kind: "digest", digest });
  assert.deepEqual(parseManifestReference("v1"), { kind: "tag", tag: "v1" });
  assert.throws(() => parseManifestReference("sha256:12"), { code: "digest-invalid" });
});

test("people name artifacts with a tag, a digest, both or neither", () => {
  assert.deepEqual(parseArtifactName("m/c"), { repository: "m/c", reference: "latest" });
  assert.deepEqual(parseArtifactName("m/c:v1"), { repository: "m/c", reference: "v1" });
  assert.deepEqual(parseArtifactName(`m/c@${digest}`), { repository: "m/c", reference: digest });
  assert.deepEqual(parseArtifactName(`m/c:v1@${digest}`), { repository: "m/c", reference: digest });
  assert.throws(() => parseArtifactName("m/c:"), { code: "name-invalid" });
});

test("the referrers tag is the digest with a dash, cut to 64 digits", () => {
  assert.equal(referrersTag(digest), digest.replace(":", "-"));
  assert.equal(referrersTag(contentDigestOf(new Uint8Array(), "sha512")).length, "sha512-".length + 64);
});
