// notation, the signer of the Notary Project: each verifies what the other signed on Tally's registry, by certificate.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Chain, makeChain } from "./certificates.ts";
import { program } from "./programs.ts";
import { type Kit, otherArtifact, pushedKit, reattach } from "./signed-kit.ts";
import { run, type Said, tally } from "./tally.ts";

const notationType = "application/vnd.cncf.notary.signature";

interface Notation extends Kit {
  readonly chain: Chain;
  readonly stranger: Chain;
  /** The certificate that notation made for itself. */
  readonly own: string;
  notation(...args: readonly string[]): Promise<Said>;
  /** Has notation believe what leads to this certificate, and nothing else. */
  trusting(store: string): Promise<void>;
  tally(...args: readonly string[]): Promise<Said>;
}

async function prepared(t: TestContext, path: string, curve = "P-256"): Promise<Notation> {
  const kit = await pushedKit(t);
  const { folder, plane } = kit;
  const config = join(folder, "notation");
  const env = {
    ...{ NOTATION_CONFIG: config, XDG_CONFIG_HOME: join(folder, "xdg"), DOCKER_CONFIG: join(folder, "docker") },
    ...{ NOTATION_USERNAME: "tally", NOTATION_PASSWORD: plane.token },
  };
  const notation = (...args: readonly string[]) => run(path, args, { cwd: folder, env });
  const chain = await makeChain(folder, "publisher", curve);
  const stranger = await makeChain(folder, "stranger");
  good(await notation("cert", "generate-test", "--default", "own"));
  good(await notation("cert", "add", "--type", "ca", "--store", "publisher", chain.root));
  good(await notation("cert", "add", "--type", "ca", "--store", "stranger", stranger.root));
  const trusting = async (store: string) => {
    const level = { level: "strict" };
    const policy = { name: "all", registryScopes: ["*"], signatureVerification: level, trustStores: [`ca:${store}`] };
    const policies = [{ ...policy, trustedIdentities: ["*"] }];
    await writeFile(join(folder, "policy.json"), JSON.stringify({ version: "1.0", trustPolicies: policies }));
    good(await notation("policy", "import", "--force", "policy.json"));
  };
  const own = join(config, "localkeys", "own.crt");
  const does = (...args: readonly string[]) => tally(args, { cwd: folder, env: plane.env });
  return { ...kit, chain, stranger, own, notation, trusting, tally: does };
}

function good(said: Said): Said {
  assert.equal(said.code, 0, said.stdout + said.stderr);
  return said;
}

for (const [kind, format] of [
  ["P-256", "jws"],
  ["P-384", "cose"],
  ["RSA-2048", "jws"],
  ["RSA-3072", "cose"],
] as const) {
  test(`notation verifies what Tally signed in ${format} with a ${kind} key and its chain, and by no other root`, async (t) => {
    const path = program(t, "notation");
    if (path === undefined) return;
    const { notation, image, ref, chain, trusting, ...kit } = await prepared(t, path, kind);
    await trusting("publisher");
    assert.notEqual((await notation("verify", "--insecure-registry", image)).code, 0, "before it was signed");
    const sign = ["artifact", "sign", ref, "--format", "notation", "--key", chain.key, "--certificate-chain"];
    await kit.good(...sign, chain.whole, "--signature-format", format, "--expiry", "1h");
    const verified = good(await notation("verify", "--insecure-registry", image));
    assert.match(verified.stdout, /Successfully verified signature/);
    await trusting("stranger");
    assert.notEqual((await notation("verify", "--insecure-registry", image)).code, 0);
    await kit.good("artifact", "verify", ref, "--certificate-chain", chain.root);
  });
}

for (const format of ["jws", "cose"]) {
  test(`Tally verifies what notation signed in ${format}, and by no other root`, async (t) => {
    const path = program(t, "notation");
    if (path === undefined) return;
    const { notation, image, ref, own, stranger, tally: does } = await prepared(t, path);
    const verify = (root: string) => does("artifact", "verify", ref, "--certificate-chain", root);
    assert.equal((await verify(own)).code, 6, "before it was signed");
    good(await notation("sign", "--insecure-registry", "--signature-format", format, image));
    assert.match(good(await verify(own)).stdout, /^good +application\/vnd\.cncf\.notary\.signature {2}.*CN=own/m);
    assert.equal((await verify(stranger.root)).code, 3);
  });
}

test("a notation signature that an attacker hangs on another artifact is taken by neither", async (t) => {
  const path = program(t, "notation");
  if (path === undefined) return;
  const kit = await prepared(t, path);
  const { notation, plane, digest, own } = kit;
  await kit.trusting("own");
  good(await notation("sign", "--insecure-registry", kit.image));
  const other = await otherArtifact(kit);
  await reattach(kit, notationType, digest, other);
  assert.notEqual((await notation("verify", "--insecure-registry", `${plane.host}/tiny@${other}`)).code, 0);
  const refused = await kit.tally("artifact", "verify", `tiny@${other}`, "--certificate-chain", own);
  assert.equal(refused.code, 3);
  assert.match(refused.stdout, /BAD .*it is about sha256:/);
});
