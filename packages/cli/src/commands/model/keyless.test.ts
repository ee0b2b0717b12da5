import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { identityToken, mockIssuer, mockSigstore } from "../../../../oci/src/testing/mock-sigstore.ts";
import { main } from "../../main.ts";

const identity = "https://example.org/team/publisher";

/** A model's folder, a sigstore of its own, and `tally` in it. */
async function prepared(t: TestContext) {
  const cwd = await mkdtemp(join(tmpdir(), "tally-keyless-"));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  await mkdir(join(cwd, "model"));
  await writeFile(join(cwd, "model", "model.onnx"), "weights");
  const sigstore = await mockSigstore(t);
  await writeFile(join(cwd, "trusted_root.json"), sigstore.trustedRootJson);
  await writeFile(join(cwd, "token"), `${identityToken(identity)}\n`);
  const tally = async (env: Record<string, string>, ...args: readonly string[]) => {
    let said = "";
    const out = { write: (text: string) => (said += text) };
    const { signal: stop } = new AbortController();
    const stdin = (async function* () {})();
    const code = await main(args, { stdout: out, stderr: out, env, cwd, stdin, stop });
    return { code, said };
  };
  const urls = ["--fulcio-url", sigstore.url, "--rekor-url", sigstore.url];
  return { tally, urls };
}

const verifyAs = (name: string, issuer = mockIssuer) => [
  ...["model", "verify", "model", "--certificate-identity", name, "--certificate-oidc-issuer", issuer],
  ...["--trusted-root", "trusted_root.json"],
];

test("model sign --keyless takes the token from the environment or a file, and model verify asks for identity and issuer", async (t) => {
  const { tally, urls } = await prepared(t);
  const sign = ["model", "sign", "model", "--keyless", "--force", ...urls];
  for (const signing of [
    () => tally({ SIGSTORE_ID_TOKEN: identityToken(identity) }, ...sign),
    () => tally({}, ...sign, "--identity-token", "token"),
  ]) {
    const signed = await signing();
    assert.equal(signed.code, 0, signed.said);
    const verified = await tally({}, ...verifyAs(identity));
    assert.equal(verified.code, 0, verified.said);
    assert.match(verified.said, /good {2}signature {2}https:\/\/example\.org\/team\/publisher, says https:\/\/issuer/);
  }
  assert.equal((await tally({}, ...verifyAs("https://example.org/team/other"))).code, 3);
  assert.equal((await tally({}, ...verifyAs(identity, "https://other.example"))).code, 3);
  assert.equal((await tally({}, ...verifyAs(identity), "--json")).said.includes(`"issuer": "${mockIssuer}"`), true);
});

test("a keyless signature is not taken for one by key", async (t) => {
  const { tally, urls } = await prepared(t);
  assert.equal((await tally({}, "keygen", "key")).code, 0);
  assert.equal((await tally({}, "model", "sign", "model", "--keyless", ...urls, "--identity-token", "token")).code, 0);
  assert.equal((await tally({}, "model", "verify", "model", "--key", "key.pub.pem")).code, 6);
});

test("an authority that does not answer is said by its address", async (t) => {
  const { tally } = await prepared(t);
  const nobody = ["--fulcio-url", "http://127.0.0.1:1", "--rekor-url", "http://127.0.0.1:1"];
  const refused = await tally({}, "model", "sign", "model", "--keyless", ...nobody, "--identity-token", "token");
  assert.equal(refused.code, 5);
  assert.match(refused.said, /error: http:\/\/127\.0\.0\.1:1 gave no certificate/);
});
