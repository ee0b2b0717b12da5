import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { formatTrust } from "@tally/evidence";
import { identityToken, mockIssuer, mockSigstore } from "../../../../oci/src/testing/mock-sigstore.ts";
import { TestPlane } from "../../../../plane/src/testing/test-plane.ts";
import { main } from "../../main.ts";

const identity = "https://example.org/team/publisher";

/** A plane, a sigstore, a model's folder, and `tally` in it with the plane's own trust file, changed as the test says. */
async function prepared(t: TestContext) {
  const cwd = await mkdtemp(join(tmpdir(), "tally-verify-trust-"));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  await mkdir(join(cwd, "model"));
  await writeFile(join(cwd, "model", "model.onnx"), "weights");
  const sigstore = await mockSigstore(t);
  const plane = await TestPlane.start(t);
  const urls = ["--fulcio-url", sigstore.url, "--rekor-url", sigstore.url];
  const tally = async (...args: readonly string[]) => {
    let said = "";
    const out = { write: (text: string) => (said += text) };
    const env = { TALLY_URL: plane.url, TALLY_TOKEN: plane.adminToken, TALLY_TRUST: "trust.json" };
    const { signal: stop } = new AbortController();
    const stdin = (async function* () {})();
    const code = await main(args, { stdout: out, stderr: out, env, cwd, stdin, stop });
    return { code, said };
  };
  const signAs = async (name: string, issuer = mockIssuer) => {
    const token = identityToken(name, issuer);
    const made = await tally("model", "sign", "model", "--keyless", "--force", ...urls, "--identity-token", token);
    assert.equal(made.code, 0, made.said);
  };
  const trustWith = async (keyless: object = {}, rights: object = {}) => {
    await plane.seal();
    const file = JSON.parse(formatTrust(await plane.trust()));
    const name = { certificateIdentity: identity, certificateOidcIssuer: mockIssuer, trustRoot: "own", ...keyless };
    const pipeline = { name: "pipeline", keyless: name, may: ["sign-model"], repositories: ["heart/*"], ...rights };
    file.identities.push(pipeline);
    file.trustRoots = { own: JSON.parse(sigstore.trustedRootJson) };
    await writeFile(join(cwd, "trust.json"), JSON.stringify(file));
  };
  await trustWith();
  return { tally, signAs, trustWith, cwd };
}

const verify = ["model", "verify", "model", "--repository", "heart/x"] as const;

test("a model signed keyless verifies by the trust file: who, whether they may, and what is known of the time", async (t) => {
  const { tally, signAs } = await prepared(t);
  await signAs(identity);
  const { code, said } = await tally(...verify);
  assert.equal(code, 0, said);
  assert.match(
    said,
    /good +signer +pipeline, keyless as https:\/\/example\.org\/team\/publisher, says https:\/\/issuer/,
  );
  assert.match(said, /good +rights +may sign-model for heart\/x/);
  assert.match(said, /not made +log +the plane's log does not have it/);
  assert.match(said, /good +revocation +not among the/);
  const json = JSON.parse((await tally(...verify, "--json")).said);
  assert.deepEqual([json.outcome, json.signedBy, json.identity], ["good", "pipeline", identity]);
});

test("attack: a certificate for another name, or of another issuer, under the same root", async (t) => {
  const { tally, signAs } = await prepared(t);
  for (const [name, issuer] of [
    [`${identity}-evil`, mockIssuer],
    [identity, "https://evil.example"],
  ] as const) {
    await signAs(name, issuer);
    const { code, said } = await tally(...verify);
    assert.equal(code, 3, said);
    assert.match(said, /BAD +signature +nobody of the trust file signed it; it is signed by https:\/\/example\.org/);
  }
});

test("attack: a keyless identity outside of what it may sign, and where", async (t) => {
  const { tally, signAs, trustWith } = await prepared(t);
  await signAs(identity);
  const elsewhere = await tally("model", "verify", "model", "--repository", "heart/../x");
  assert.equal(elsewhere.code, 3);
  assert.match(elsewhere.said, /BAD +rights +pipeline may sign-model, but "heart\/\.\.\/x" is no repository/);
  assert.equal((await tally("model", "verify", "model", "--repository", "hearts/x")).code, 3);
  const unsaid = await tally("model", "verify", "model");
  assert.equal(unsaid.code, 6);
  assert.match(unsaid.said, /not made +rights +may sign-model for heart\/\*; which it is about is not said/);
  await trustWith({}, { may: ["approve", "release", "ingest"] });
  const other = await tally(...verify);
  assert.equal(other.code, 3);
  assert.match(other.said, /BAD +rights +pipeline may not sign-model/);
});

test("a keyless signature has a time of its own log: a period is kept without the plane's", async (t) => {
  const { tally, signAs, trustWith } = await prepared(t);
  await signAs(identity);
  const hour = 3_600_000;
  await trustWith({}, { from: Date.now() - hour, until: Date.now() + hour });
  assert.equal((await tally(...verify)).code, 0);
  for (const period of [{ from: Date.now() + hour }, { until: Date.now() - hour }]) {
    await trustWith({}, period);
    const { code, said } = await tally(...verify);
    assert.equal(code, 6, said);
    assert.match(said, /not made +period +the key counts (from|until)/);
  }
});

test("attack: verification material that is not this signature's, or was taken out", async (t) => {
  const { tally, signAs, cwd } = await prepared(t);
  await signAs(identity);
  const one = JSON.parse(await readFile(join(cwd, "model", "model.sig"), "utf8"));
  await signAs(identity);
  const path = join(cwd, "model", "model.sig");
  const two = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...two, verificationMaterial: one.verificationMaterial }));
  const swapped = await tally(...verify);
  assert.equal(swapped.code, 3);
  assert.match(swapped.said, /BAD +signature +nobody of the trust file signed it; under own: it does not verify/);
});

test("a trust root that is none is said by its name", async (t) => {
  const { tally, signAs, cwd } = await prepared(t);
  await signAs(identity);
  const path = join(cwd, "trust.json");
  const file = JSON.parse(await readFile(path, "utf8"));
  file.trustRoots.own = { certificateAuthorities: [{ certChain: 7 }], tlogs: [{ publicKey: { validFor: "x" } }] };
  await writeFile(path, JSON.stringify(file));
  const { code, said } = await tally(...verify);
  assert.equal(code, 2, said);
  assert.match(said, /error: the trust root own cannot be read/);
});
