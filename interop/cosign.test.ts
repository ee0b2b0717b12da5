// cosign 3 by key pair, without a transparency log: each verifies what the other signed and attested on Tally's registry.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { program } from "./programs.ts";
import { type Kit, otherArtifact, pushedKit, reattach } from "./signed-kit.ts";
import { run, type Said, tally } from "./tally.ts";

const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";
const gradeType = "https://example.org/grade/v1";

interface Cosign extends Kit {
  cosign(...args: readonly string[]): Promise<Said>;
  tally(...args: readonly string[]): Promise<Said>;
}

/** A pushed kit, and cosign with a key pair and a login of its own. */
async function prepared(t: TestContext, path: string): Promise<Cosign> {
  const kit = await pushedKit(t);
  const { folder, plane } = kit;
  const env = { COSIGN_PASSWORD: "", DOCKER_CONFIG: join(folder, "docker") };
  const cosign = (...args: readonly string[]) => run(path, args, { cwd: folder, env });
  good(await cosign("login", plane.host, "-u", "tally", "-p", plane.token));
  good(await cosign("generate-key-pair"));
  await writeFile(join(folder, "grade.json"), '{"grade":"good"}');
  return { ...kit, cosign, tally: (...args) => tally(args, { cwd: folder, env: plane.env }) };
}

function good(said: Said): Said {
  assert.equal(said.code, 0, said.stdout + said.stderr);
  return said;
}

const offline = ["--insecure-ignore-tlog", "--allow-http-registry"];
const unlogged = ["--use-signing-config=false", "--tlog-upload=false", "--allow-http-registry", "--yes"];

test("cosign verifies what Tally signed and attested, by its key, and not by another", async (t) => {
  const path = program(t, "cosign");
  if (path === undefined) return;
  const kit = await prepared(t, path);
  const { cosign, image, ref, digest } = kit;
  const verify = (key: string) => cosign("verify", "--key", key, ...offline, image);
  const attested = (key: string, type = gradeType) =>
    cosign("verify-attestation", "--type", type, "--key", key, ...offline, image);
  assert.notEqual((await verify("second.pub.pem")).code, 0, "before it was signed");
  await kit.good("keygen", "second");
  await kit.good("artifact", "sign", ref, "--key", "second.pem");
  const [signature] = JSON.parse(good(await verify("second.pub.pem")).stdout);
  assert.equal(signature.critical.image["docker-manifest-digest"], digest);
  await kit.good("artifact", "attest", ref, "--predicate", "grade.json", "--type", gradeType, "--key", "publisher.pem");
  const envelope = JSON.parse(good(await attested("publisher.pub.pem")).stdout);
  assert.deepEqual(JSON.parse(Buffer.from(envelope.payload, "base64").toString()).predicate, { grade: "good" });
  assert.notEqual((await verify("cosign.pub")).code, 0);
  assert.notEqual((await attested("cosign.pub")).code, 0);
  assert.notEqual((await attested("publisher.pub.pem", "https://example.org/other/v1")).code, 0);
});

test("cosign verifies a model that Tally pushed, by its publisher's key, and shows what hangs on it", async (t) => {
  const path = program(t, "cosign");
  if (path === undefined) return;
  const { cosign, image, digest } = await prepared(t, path);
  const [signature] = JSON.parse(good(await cosign("verify", "--key", "publisher.pub.pem", ...offline, image)).stdout);
  assert.equal(signature.critical.image["docker-manifest-digest"], digest);
  assert.notEqual((await cosign("verify", "--key", "cosign.pub", ...offline, image)).code, 0);
  const tree = good(await cosign("tree", "--allow-http-registry", image));
  assert.match(tree.stdout + tree.stderr, /https:\/\/sigstore\.dev\/cosign\/sign\/v1/);
  assert.match(tree.stdout + tree.stderr, /https:\/\/model_signing\/signature\/v1\.0/);
  const downloaded = good(await cosign("download", "attestation", "--allow-http-registry", image));
  const types = downloaded.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { payload?: string; dsseEnvelope?: { payload: string } })
    .map(({ payload, dsseEnvelope }) => Buffer.from((dsseEnvelope?.payload ?? payload)!, "base64").toString());
  assert.ok(types.some((text) => text.includes("https://model_signing/signature/v1.0")));
});

test("cosign verifies a statement of the plane's log that was attached to its artifact", async (t) => {
  const path = program(t, "cosign");
  if (path === undefined) return;
  const { cosign, image, ref, digest, good: does, ...kit } = await prepared(t, path);
  const listed = await does("statement", "list", "--subject", digest, "--type", "model", "--json");
  const [{ digest: statement }] = JSON.parse(listed.stdout).statements;
  await writeFile(join(kit.folder, "model.dsse.json"), (await does("statement", "get", statement)).stdout);
  const attach = ["artifact", "attest", ref, "--statement", "model.dsse.json", "--signer"];
  assert.equal((await kit.tally(...attach, "cosign.pub")).code, 3, "not signed by that key");
  await does(...attach, "publisher.pub.pem");
  const verify = ["verify-attestation", "--type", "urn:tally:model:v1", "--key", "publisher.pub.pem", ...offline];
  const envelope = JSON.parse(good(await cosign(...verify, image)).stdout);
  assert.equal(JSON.parse(Buffer.from(envelope.payload, "base64").toString()).predicateType, "urn:tally:model:v1");
});

test("Tally verifies what cosign signed and attested, by its key, and not by another", async (t) => {
  const path = program(t, "cosign");
  if (path === undefined) return;
  const { cosign, image, ref, tally: does, ...kit } = await prepared(t, path);
  const verify = (key: string) => does("artifact", "verify", ref, "--key", key);
  assert.equal((await verify("cosign.pub")).code, 3, "before it was signed: the publisher's does not count");
  good(await cosign("sign", "--key", "cosign.key", ...unlogged, image));
  good(
    await cosign("attest", "--key", "cosign.key", "--type", gradeType, "--predicate", "grade.json", ...unlogged, image),
  );
  assert.match(good(await verify("cosign.pub")).stdout, /^good {2}https:\/\/sigstore\.dev\/cosign\/sign\/v1 {2}key /m);
  await kit.good("keygen", "second");
  assert.equal((await verify("second.pub.pem")).code, 3);
  const attested = ["artifact", "verify", ref, "--type", gradeType, "--json", "--key"];
  const { checked } = JSON.parse(good(await does(...attested, "cosign.pub")).stdout);
  assert.deepEqual(
    checked.map(({ result, predicate }: { result: string; predicate: unknown }) => ({ result, predicate })),
    [{ result: "good", predicate: { grade: "good" } }],
  );
  assert.equal((await does(...attested, "publisher.pub.pem")).code, 3);
});

test("cosign's short names of predicate types mean the same to Tally", async (t) => {
  const path = program(t, "cosign");
  if (path === undefined) return;
  const { cosign, image, ref, tally: does, good: done } = await prepared(t, path);
  const attest = ["attest", "--key", "cosign.key", "--predicate", "grade.json", ...unlogged];
  for (const name of ["slsaprovenance", "slsaprovenance1", "spdxjson", "cyclonedx", "vuln", "openvex", "custom"]) {
    const verify = ["artifact", "verify", ref, "--type", name, "--key"];
    good(await cosign(...attest, "--type", name, image));
    assert.equal((await does(...verify, "cosign.pub")).code, 0, name);
    assert.equal((await does(...verify, "publisher.pub.pem")).code, 3, name);
    await done("artifact", "attest", ref, "--predicate", "grade.json", "--type", name, "--key", "publisher.pem");
    good(await cosign("verify-attestation", "--type", name, "--key", "publisher.pub.pem", ...offline, image));
  }
});

test("Tally signs with the key pair that cosign made, whose passphrase is cosign's", async (t) => {
  const path = program(t, "cosign");
  if (path === undefined) return;
  const { cosign, folder, image, ref, tally: does, ...kit } = await prepared(t, path);
  const env = { COSIGN_PASSWORD: "correct horse" };
  const args = ["generate-key-pair", "--output-key-prefix", "theirs"];
  good(await run(path, args, { cwd: folder, env }));
  await writeFile(join(folder, "passphrase"), "correct horse\n", { mode: 0o600 });
  const sign = ["artifact", "sign", ref, "--key", "theirs.key", "--passphrase-file", "passphrase"];
  await kit.good(...sign);
  good(await cosign("verify", "--key", "theirs.pub", ...offline, image));
  await writeFile(join(folder, "passphrase"), "incorrect\n");
  const refused = await does(...sign);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /not the passphrase of theirs\.key/);
});

test("a signature that an attacker hangs on another artifact is taken by neither", async (t) => {
  const path = program(t, "cosign");
  if (path === undefined) return;
  const kit = await prepared(t, path);
  const { cosign, plane, digest } = kit;
  good(await cosign("sign", "--key", "cosign.key", ...unlogged, kit.image));
  const other = await otherArtifact(kit);
  await reattach(kit, bundleType, digest, other);
  assert.notEqual((await cosign("verify", "--key", "cosign.pub", ...offline, `${plane.host}/tiny@${other}`)).code, 0);
  const refused = await kit.tally("artifact", "verify", `tiny@${other}`, "--key", "cosign.pub");
  assert.equal(refused.code, 3);
  assert.match(refused.stdout, /BAD +https:\/\/sigstore\.dev\/cosign\/sign\/v1 +it is about sha256:/);
});
