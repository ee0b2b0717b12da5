import assert from "node:assert/strict";
import { test } from "node:test";
import { generatePrivateKeyPem, publicKeyOfPem } from "#crypto";
import { formatVkey, noteKey } from "../note/index.ts";
import { publicKeyPem } from "../statements/index.ts";
import { formatTrust, keylessIdOf, matchesCertificateIdentity, parseTrust, whyNotAllowed } from "./index.ts";

const plane = "tally.example/plane";
const vkey = (name: string) => formatVkey(noteKey(name, 1, publicKeyOfPem(generatePrivateKeyPem("ed25519")).raw));
const issuer = "https://token.actions.example.org";
const workflow = "https://github.example/acme/models/.github/workflows/release.yml@refs/heads/main";
const keyless = { certificateIdentity: workflow, certificateOidcIssuer: issuer, trustRoot: "public-good" };
const pipeline = { name: "pipeline", keyless, may: ["sign-model"], repositories: ["heart/*"] };
const file = {
  format: "tally-trust/v1",
  plane: { name: plane, log: [vkey(`${plane}/log`)], fleet: [vkey(`${plane}/fleet`)] },
  policy: "quorum none\n",
  requiredAlgorithms: ["ed25519"],
  identities: [pipeline],
  trustRoots: { "public-good": { certificateAuthorities: [{}], tlogs: [{}] } },
  skewSeconds: 60,
};
const parse = (change: object = {}) => parseTrust(JSON.stringify({ ...file, ...change }));
const named = (certificateIdentity: string) => [{ ...pipeline, keyless: { ...keyless, certificateIdentity } }];
const refuses = (change: object, message: RegExp) =>
  assert.throws(() => parse(change), { code: "trust-invalid", message });

test("a keyless identity is read beside those with keys, and written back to the same value", () => {
  const key = publicKeyPem(publicKeyOfPem(generatePrivateKeyPem("p-256")).spki);
  const publisher = { name: "publisher", key, may: ["train"], repositories: ["*"] };
  const trust = parse({ identities: [publisher, { ...pipeline, from: 1, until: 2 }] });
  assert.deepEqual([trust.identities.length, trust.keyless.length], [1, 1]);
  assert.deepEqual(trust.keyless[0]?.keyless, keyless);
  assert.equal(trust.keyless[0]?.keyId, keylessIdOf(keyless));
  assert.deepEqual(parseTrust(formatTrust(trust)), trust);
});

test("the id of a keyless identity is its own: another issuer, name or root has another", () => {
  const others = [{ certificateIdentity: "x" }, { certificateOidcIssuer: "x" }, { trustRoot: "x" }];
  const ids = [{}, ...others].map((change) => keylessIdOf({ ...keyless, ...change }));
  assert.equal(new Set(ids).size, 4);
  for (const id of ids) assert.match(id, /^[0-9a-f]{64}$/);
});

test("what is wrong with a keyless identity is named by its field", () => {
  const [place] = [/^identities\[0\]\.keyless/.source];
  const wrong = (change: object, rest: string) =>
    refuses({ identities: [{ ...pipeline, keyless: { ...keyless, ...change } }] }, new RegExp(place + rest));
  wrong({ trustRoot: "other" }, '\\.trustRoot: trustRoots has none called "other"');
  wrong({ subject: "x" }, "\\.subject: unknown name");
  wrong({ certificateOidcIssuer: "accounts.example" }, "\\.certificateOidcIssuer: expected the URL");
  wrong({ certificateOidcIssuer: "https://*.example" }, "\\.certificateOidcIssuer: expected the URL");
  wrong({ certificateIdentity: "" }, "\\.certificateIdentity: expected text");
  refuses({ identities: [{ ...pipeline, key: "x" }] }, /identities\[0\]: an identity has either a key or keyless/);
  refuses({ trustRoots: { "public-good": { tlogs: [{}] } } }, /trustRoots\.public-good\.certificateAuthorities/);
  refuses({ trustRoots: { "public-good": { certificateAuthorities: [{}], tlogs: [] } } }, /tlogs: expected a list/);
  refuses({ trustRoots: undefined }, /trustRoots has none called "public-good"/);
});

test("attack: a pattern that lets in more than whoever wrote it meant is no pattern", () => {
  for (const wide of [
    "*",
    "*@example.com",
    "release-*@example.com",
    "https://*",
    "https://*/acme/models",
    "https://github.example*/acme/models",
    "https://github.example/*",
    "https://github.example/*/models/release.yml",
    "https://github.example/acme*/models",
    "https://github.example/acme/**",
  ]) {
    refuses({ identities: named(wide) }, /certificateIdentity: `\*/);
  }
  refuses({ identities: named(`${workflow} x`) }, /an identity has no spaces/);
});

test("attack: a name that goes on where the pattern's * stands, into another part or another ref", () => {
  const pattern = "https://github.example/acme/*/.github/workflows/release.yml@refs/tags/v*";
  assert.equal(parse({ identities: named(pattern) }).keyless.length, 1);
  const name = (repository: string, tag: string) =>
    `https://github.example/acme/${repository}/.github/workflows/release.yml@refs/tags/${tag}`;
  assert.ok(matchesCertificateIdentity(pattern, name("models", "v1.2.3")));
  for (const other of [
    name("models/.github/workflows/evil.yml@refs/heads/x", "v1"),
    name("a/b", "v1"),
    name("models", "v1/../../heads/main"),
    name("models", "v1@refs/heads/evil"),
    name("models", "x1"),
    name("models", "v1\nx"),
    `${name("models", "v1")}/`,
    name("models", "v1").replace("acme", "acme-evil"),
    `https://evil.example/${name("models", "v1")}`,
    name("models", "v1").replace("github.example", "githubXexample"),
    name("models", "v1").toUpperCase(),
  ]) {
    assert.equal(matchesCertificateIdentity(pattern, other), false, other);
  }
  assert.equal(matchesCertificateIdentity("me@example.com", "me@exampleXcom"), false);
  assert.equal(matchesCertificateIdentity("me@example.com", "me@example.com.evil"), false);
});

test("attack: one certificate that could be two people, who then approve what they signed themselves", () => {
  const tags = "https://github.example/acme/models/.github/workflows/*@refs/heads/main";
  const reviewer = { ...pipeline, name: "reviewer", keyless: { ...keyless, certificateIdentity: tags } };
  const message = /could be pipeline or reviewer; list them under one name/;
  refuses({ identities: [pipeline, reviewer] }, message);
  const crossing = { ...reviewer, keyless: { ...keyless, certificateIdentity: workflow.replace("release", "*") } };
  refuses({ identities: [...named(workflow.replace("main", "m*")), crossing] }, message);
  const roots = { ...file.trustRoots, other: file.trustRoots["public-good"] };
  const elsewhere = { ...reviewer, keyless: { ...reviewer.keyless, trustRoot: "other" } };
  refuses({ identities: [pipeline, elsewhere], trustRoots: roots }, message);
  assert.equal(parse({ identities: [pipeline, { ...reviewer, name: "pipeline" }] }).keyless.length, 2);
  const byAnother = { ...reviewer, keyless: { ...reviewer.keyless, certificateOidcIssuer: "https://other.example" } };
  assert.equal(parse({ identities: [pipeline, byAnother] }).keyless.length, 2);
});

test("attack: a repository that is written as one of somebody else's", () => {
  const identity = { may: ["release"], repositories: ["hospital/*"] } as const;
  const why = (repository: string) => whyNotAllowed(identity, { action: "release", repository });
  assert.equal(why("hospital/heart"), undefined);
  assert.equal(why("hospital/a/b"), undefined);
  for (const other of [
    "hospital",
    "hospital/",
    "hospital/../x",
    "hospital/..",
    "hospital//x",
    "hospital/x/",
    "/hospital/x",
    "Hospital/x",
    "hospital/X",
    "hospital-evil/x",
    "x/hospital/y",
    "hospital/%2e%2e/x",
    "hospital/x:stable",
    "*",
  ]) {
    assert.notEqual(why(other), undefined, other);
  }
  assert.match(why("hospital/../x")!, /"hospital\/\.\.\/x" is no repository/);
  assert.equal(whyNotAllowed({ ...identity, repositories: ["*"] }, { action: "release", repository: "*" }), undefined);
});

test("a repository pattern that could cover nothing is refused, instead of being a rule that is never applied", () => {
  for (const pattern of ["hospital/", "/hospital", "hospital//x", "hospital/../x", "Hospital/*", ".", "hospital/."]) {
    refuses(
      { identities: [{ ...pipeline, repositories: [pattern] }] },
      /repositories\[0\]: expected a repository name/,
    );
  }
});
