// notation, the signer of the Notary Project: each verifies what the other signed on Tally's registry, by certificate.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  codeSigning,
  type Maker,
  makeCertificate,
  timeStamping,
} from "../packages/oci/src/signing/certificate-maker.ts";
import { makeRevocationList } from "../packages/oci/src/testing/revocation-list.ts";
import { serveTimestamps } from "../packages/oci/src/testing/timestamp-authority.ts";
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
  /** Has notation believe what leads to this certificate, and nothing else; with a timestamp of that store, if one is named. */
  trusting(store: string, tsa?: string, identities?: readonly string[]): Promise<void>;
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
  const trusting = async (store: string, tsa?: string, trustedIdentities: readonly string[] = ["*"]) => {
    const level = { level: "strict" };
    const trustStores = [`ca:${store}`, ...(tsa === undefined ? [] : [`tsa:${tsa}`])];
    const policies = [
      { name: "all", registryScopes: ["*"], signatureVerification: level, trustStores, trustedIdentities },
    ];
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

/** What a timestamp authority and a signer whose certificate was valid in 2025 alone are made of. */
const then = new Date("2025-03-01T12:00:00Z");
const authority = { ca: true, keyUsage: 0x06 };
const clockRoot = makeCertificate({ name: "C=SE, ST=Test, O=Clocks, CN=root", ...authority });
const stamper = { issuer: clockRoot, keyUsage: 0x80, purposes: [timeStamping], purposesAreCritical: true };
const clock = makeCertificate({ name: "C=SE, ST=Test, O=Clocks, CN=clock", ...stamper, rsaBits: 2048 });
const signerRoot = makeCertificate({ name: "C=SE, ST=Test, O=Example, CN=root", ...authority });
const signer = { issuer: signerRoot, keyUsage: 0x80, purposes: [codeSigning] };
const name = "C=SE, ST=Test, O=Example, CN=signer";
const expired = makeCertificate({ name, ...signer, from: "2025-01-01", until: "2026-01-01" });

/** Writes key and certificates of a signer, and the roots; their paths. */
async function written(folder: string, by: Maker): Promise<Record<"key" | "chain" | "root" | "clocks", string>> {
  const at = (file: string) => join(folder, file);
  const paths = { key: at("s.key"), chain: at("s.pem"), root: at("s-root.pem"), clocks: at("clocks.pem") };
  await writeFile(paths.key, by.key.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
  await writeFile(paths.chain, `${by.certificate}${signerRoot.certificate}`);
  await writeFile(paths.root, String(signerRoot.certificate));
  await writeFile(paths.clocks, String(clockRoot.certificate));
  return paths;
}

for (const format of ["jws", "cose"]) {
  test(`notation takes what Tally signed in ${format} by a certificate that has expired since, for its timestamp`, async (t) => {
    const path = program(t, "notation");
    if (path === undefined) return;
    const { notation, image, ref, folder, trusting, good: does, tally: tries } = await prepared(t, path);
    const { key, chain, root, clocks } = await written(folder, expired);
    good(await notation("cert", "add", "--type", "ca", "--store", "signers", root));
    good(await notation("cert", "add", "--type", "tsa", "--store", "clocks", clocks));
    const url = await serveTimestamps(t, () => ({ authority: clock, at: then, accuracySeconds: 1 }));
    const sign = ["artifact", "sign", ref, "--format", "notation", "--key", key, "--certificate-chain", chain];
    const stamp = ["--timestamp-url", url, "--timestamp-root-cert", clocks];
    await does(...sign, "--signature-format", format, ...stamp);
    const identity = "x509.subject: C=SE, ST=Test, O=Example";
    await trusting("signers", "clocks", [identity]);
    good(await notation("verify", "--insecure-registry", image));
    const verify = ["artifact", "verify", ref, "--certificate-chain", root, "--timestamp-root-cert", clocks];
    assert.match((await does(...verify, "--trusted-identity", identity)).stdout, /stamped 2025-03-01T12:00:00\.000Z/);
    await trusting("signers");
    assert.notEqual(
      (await notation("verify", "--insecure-registry", image)).code,
      0,
      "without the stamp it has expired",
    );
    assert.equal((await tries(...verify.slice(0, 5))).code, 3);
    await trusting("signers", "clocks", [`${identity}, OU=Lab`]);
    assert.notEqual((await notation("verify", "--insecure-registry", image)).code, 0, "another identity");
    assert.equal((await tries(...verify, "--trusted-identity", `${identity}, OU=Lab`)).code, 3);
  });
}

for (const format of ["jws", "cose"]) {
  test(`Tally takes notation's timestamps in ${format}, of the authority that is trusted, and its expiry`, async (t) => {
    const path = program(t, "notation");
    if (path === undefined) return;
    const { notation, image, ref, folder, own, chain, good: does, tally: tries } = await prepared(t, path);
    const { clocks } = await written(folder, expired);
    // Its certificate has to be valid a second before this too: so exact is the clock.
    const now = new Date(Date.now() + 2_000);
    const url = await serveTimestamps(t, () => ({ authority: clock, at: now, accuracySeconds: 1 }));
    const stamp = ["--timestamp-url", url, "--timestamp-root-cert", clocks, "--expiry", "24h"];
    good(await notation("sign", "--insecure-registry", "--signature-format", format, ...stamp, image));
    const verify = ["artifact", "verify", ref, "--certificate-chain", own, "--timestamp-root-cert"];
    const seconds = now.toISOString().slice(0, 19);
    assert.match((await does(...verify, clocks)).stdout, new RegExp(`good +time +stamped ${seconds}`));
    assert.equal((await tries(...verify, chain.root)).code, 3, "an authority that is not trusted");
  });
}

test("a certificate that its authority has revoked is refused by Tally with the list at hand; notation fetches lists", async (t) => {
  const path = program(t, "notation");
  if (path === undefined) return;
  const { ref, folder, good: does, tally: tries } = await prepared(t, path);
  const current = makeCertificate({ name, ...signer });
  const { key, chain, root } = await written(folder, current);
  await does("artifact", "sign", ref, "--format", "notation", "--key", key, "--certificate-chain", chain);
  const day = 86_400_000;
  const period = { issuer: signerRoot, from: new Date(Date.now() - day), until: new Date(Date.now() + day) };
  await writeFile(join(folder, "clean.crl"), await makeRevocationList(period));
  await writeFile(join(folder, "revoked.crl"), await makeRevocationList({ ...period, revoked: [current] }));
  const verify = ["artifact", "verify", ref, "--certificate-chain", root];
  assert.match((await does(...verify)).stdout, /not made +revocation/);
  assert.match((await does(...verify, "--crl", "clean.crl")).stdout, /good +revocation/);
  assert.equal((await tries(...verify, "--crl", "revoked.crl")).code, 3);
});

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
