import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { identityToken, mockIssuer, mockSigstore } from "../../oci/src/testing/mock-sigstore.ts";
import { Loop } from "./testing/loop.ts";

const pipeline = "https://git.example/acme/models/.github/workflows/release.yml@refs/tags/v1.2";
const reviewer = "reviewer@acme.example";

/** The loop without anybody's key: a sigstore names who signs. */
class KeylessLoop {
  readonly loop: Loop;
  readonly #urls: readonly string[];

  private constructor(loop: Loop, urls: readonly string[]) {
    this.loop = loop;
    this.#urls = urls;
  }

  static async start(t: TestContext): Promise<KeylessLoop> {
    const loop = await Loop.start(t);
    const sigstore = await mockSigstore(t);
    await writeFile(join(loop.folder, "trusted_root.json"), sigstore.trustedRootJson);
    const issuer = ["--certificate-oidc-issuer", mockIssuer, "--trusted-root", "trusted_root.json"];
    const by = (name: string) => ["--certificate-identity", name, ...issuer, "--repository", "tiny*"];
    const pattern = pipeline.replace("v1.2", "v*");
    await loop.do("identity", "add", "pipeline", ...by(pattern), "--may", "sign-model,release,approve");
    await loop.do("identity", "add", "second", ...by(reviewer), "--may", "approve");
    await loop.do("keygen", "keys/operator");
    await loop.do("identity", "add", "operator", "--key", "keys/operator.pub.pem", "--may", "manage-fleet");
    await writeFile(join(loop.folder, "trust.json"), await loop.do("trust", "show"));
    return new KeylessLoop(loop, ["--fulcio-url", sigstore.url, "--rekor-url", sigstore.url]);
  }

  as(name: string, issuer = mockIssuer): readonly string[] {
    return ["--keyless", ...this.#urls, "--identity-token", identityToken(name, issuer)];
  }

  async push(): Promise<void> {
    const { loop } = this;
    await loop.do("model", "sign", "model", ...this.as(pipeline));
    await loop.do("model", "pack", "model", "-o", "layout");
    await loop.do("model", "push", "layout", "tiny:v1", "--signature", "model/model.sig", ...this.as(pipeline));
  }

  async publish(): Promise<void> {
    await this.push();
    await this.loop.do("approve", "tiny:v1", ...this.as(reviewer));
    await this.loop.do("release", "tiny:v1", "tiny:stable", ...this.as(pipeline));
    await this.loop.plane.parts.sealer.seal();
  }
}

test("a model that nobody's key has signed goes all the way: released, pulled, run on a device, and proven afterwards", async (t) => {
  const world = await KeylessLoop.start(t);
  const { loop } = world;
  await world.publish();
  const pulled = await loop.try("model", "pull", "tiny:v1", "-o", "pulled");
  assert.equal(pulled.code, 0, pulled.err);
  assert.match(pulled.err, /good +signer +pipeline, keyless as https:\/\/git\.example/);
  assert.match(pulled.err, /good +log +entry \d+ of the plane's log/);
  await loop.enrol();
  await loop.infer();
  const { statements } = JSON.parse(await loop.do("statement", "list", "--type", "release", "--json"));
  assert.deepEqual(statements[0].signedBy, ["pipeline"]);
  const verified = await loop.try("statement", "verify", statements[0].digest);
  assert.equal(verified.code, 0, verified.out);
  const manifest = JSON.parse(await loop.do("model", "pull", "tiny:v1", "-o", "again", "--json")).manifest;
  const month = ["--from", "2026-01-01", "--to", new Date(Date.now() + 60_000).toISOString()];
  await loop.do("audit", "--model", manifest, ...month, "-o", "answer.tally");
  const proven = await loop.try("verify", "answer.tally");
  assert.equal(proven.code, 0, proven.out + proven.err);
  const report = JSON.parse((await loop.try("verify", "answer.tally", "--json")).out);
  const said = JSON.stringify(report);
  assert.match(said, /approved by second|by second/);
  await loop.do("export", "tiny:v1", "-o", "carried");
  const carried = await loop.try("import", "carried", "--check");
  assert.equal(carried.code, 0, carried.out + carried.err);
  assert.match(carried.out, /good +signature .*by pipeline, over these files/);
  // Whoever verifies without keyless identities in the trust file has no proof of who signed.
  const trust = JSON.parse(await readFile(join(loop.folder, "trust.json"), "utf8"));
  trust.identities = trust.identities.filter(({ keyless }: { keyless?: object }) => keyless === undefined);
  await writeFile(join(loop.folder, "strict.json"), JSON.stringify(trust));
  assert.equal((await loop.try("verify", "answer.tally", "--trust", "strict.json")).code, 6);
});

test("attack: whoever signed a model keyless approves it under another tag of the same workflow", async (t) => {
  const world = await KeylessLoop.start(t);
  await world.push();
  const other = world.as(pipeline.replace("v1.2", "v1.3"));
  const { code, err } = await world.loop.try("approve", "tiny:v1", ...other);
  assert.equal(code, 4, err);
  assert.match(err, /approved-by-another/);
});

test("attack: somebody who may only approve signs an artifact, and attests what takes another's right", async (t) => {
  const world = await KeylessLoop.start(t);
  const { loop } = world;
  await world.push();
  await writeFile(join(loop.folder, "release.json"), "{}");
  const release = ["--type", "https://in-toto.io/attestation/release/v0.1"];
  const attest = ["artifact", "attest", "tiny:v1", ...release, "--predicate", "release.json"];
  const attestation = (await loop.do(...attest, ...world.as(reviewer))).trim();
  const attested = await loop.try("artifact", "verify", "tiny:v1", ...release);
  assert.equal(attested.code, 3, attested.out);
  assert.match(attested.out, /BAD +rights +second may not release/);
  // The model was signed when it was pushed; this nobody has signed yet.
  const unsigned = `tiny@${attestation}`;
  await loop.do("artifact", "sign", unsigned, ...world.as(reviewer));
  const signed = await loop.try("artifact", "verify", unsigned);
  assert.equal(signed.code, 3, signed.out);
  assert.match(signed.out, /BAD +rights +second may not sign-model/);
  await loop.do("artifact", "sign", unsigned, ...world.as(pipeline));
  const both = await loop.try("artifact", "verify", unsigned);
  assert.equal(both.code, 0, both.out);
});

test("attack: statements by another name, issuer or workflow are not taken into the log", async (t) => {
  const world = await KeylessLoop.start(t);
  await world.push();
  for (const who of [
    world.as("reviewer@acme.example.evil"),
    world.as(reviewer, "https://evil.example"),
    world.as(pipeline.replace("release.yml", "evil.yml")),
    world.as(pipeline.replace("acme", "evil")),
  ]) {
    const { code, err } = await world.loop.try("approve", "tiny:v1", ...who);
    assert.equal(code, 4, err);
    assert.match(err, /signed keyless, by nobody whom this plane knows: it is signed by/);
  }
  const role = await world.loop.try("release", "tiny:v1", "tiny:stable", ...world.as(reviewer));
  assert.equal(role.code, 4);
  assert.match(role.err, /second may not release/);
  const elsewhere = await world.loop.try("release", "tiny:v1", "hearts:stable", ...world.as(pipeline));
  assert.notEqual(elsewhere.code, 0);
});

test("a keyless identity is revoked by its name, for devices and for the plane", async (t) => {
  const world = await KeylessLoop.start(t);
  const { loop } = world;
  await world.publish();
  await loop.enrol();
  await loop.infer();
  await loop.do(
    "identity",
    "revoke",
    "pipeline",
    "--reason",
    "the workflow was taken over",
    "--key",
    "keys/operator.pem",
  );
  await loop.plane.parts.sealer.seal();
  const refused = await loop.try("device", "infer", "tiny:stable", "inputs.jsonl", "--dir", "device");
  assert.equal(refused.code, 3, refused.err);
  assert.match(refused.err, /signer-revoked.*pipeline signed with a key that is revoked for all that it ever signed/);
  const again = await loop.try("release", "tiny:v1", "tiny:stable", ...world.as(pipeline));
  assert.match(again.err, /is revoked: it signs nothing new/);
  const pulled = await loop.try("model", "pull", "tiny:v1", "-o", "pulled");
  assert.equal(pulled.code, 3);
  assert.match(pulled.err, /BAD +revocation/);
});

test("what is wrong with a keyless identity is said when it is added", async (t) => {
  const { loop } = await KeylessLoop.start(t);
  const add = (...args: readonly string[]) => loop.try("identity", "add", "x", "--may", "approve", ...args);
  const wrong: readonly (readonly [RegExp, ...string[]])[] = [
    [/who is it\?/],
    [/who is it\?/, "--key", "keys/operator.pub.pem", "--certificate-identity", "a@b.example"],
    [/a name and who vouches for it/, "--certificate-identity", "a@b.example"],
    [
      /none called "other"/,
      "--certificate-identity",
      "a@b.example",
      "--certificate-oidc-issuer",
      "https://i.example",
      "--trust-root",
      "other",
    ],
    [
      /certificateIdentity: `\*`/,
      "--certificate-identity",
      "*@b.example",
      "--certificate-oidc-issuer",
      "https://i.example",
    ],
    [/could be pipeline or x/, "--certificate-identity", pipeline, "--certificate-oidc-issuer", mockIssuer],
    [
      /is not JSON/,
      "--certificate-identity",
      "a@b.example",
      "--certificate-oidc-issuer",
      "https://i.example",
      "--trusted-root",
      "inputs.jsonl",
    ],
    [
      /trust root sigstore cannot be read|certificateAuthorities/,
      "--certificate-identity",
      "a@b.example",
      "--certificate-oidc-issuer",
      "https://i.example",
      "--trusted-root",
      "trust.json",
    ],
  ];
  for (const [message, ...args] of wrong) {
    const { code, err } = await add(...args);
    assert.equal(code, 2, err);
    assert.match(err, message);
    assert.match(err, /hint: /);
  }
});
