// The reference signer of OpenSSF Model Signing (pip model-signing): each verifies what the other signed, and neither what was
// changed since.
import assert from "node:assert/strict";
import { appendFile, cp, mkdir, realpath, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeChain } from "./certificates.ts";
import { program } from "./programs.ts";
import { folderOf, run, tally } from "./tally.ts";

/** A model whose names two ways of sorting put into different orders: `a-b` and `a/b`. */
async function model(t: TestContext): Promise<{ folder: string; dir: string }> {
  const folder = await folderOf(t);
  const dir = join(folder, "model");
  await mkdir(join(dir, "a"), { recursive: true });
  await writeFile(join(dir, "a", "b"), "folder\n");
  await writeFile(join(dir, "a-b"), "dash\n");
  await writeFile(join(dir, "model.onnx"), "weights of a model\n".repeat(100));
  await writeFile(join(dir, "empty"), "");
  return { folder, dir };
}

async function keys(folder: string, type: string): Promise<{ key: string; pub: string }> {
  const name = join(folder, type);
  assert.equal((await tally(["keygen", name, "--type", type])).code, 0);
  return { key: `${name}.pem`, pub: `${name}.pub.pem` };
}

const good = (said: { code: number; stderr: string; stdout: string }) =>
  assert.equal(said.code, 0, said.stdout + said.stderr);

/** Each way in which somebody may have changed a signed folder, and back. */
const changes: readonly (readonly [string, (dir: string) => Promise<void>])[] = [
  ["a byte more", (dir) => appendFile(join(dir, "model.onnx"), "x")],
  ["a file more", (dir) => writeFile(join(dir, "added"), "x")],
  ["a file less", (dir) => rm(join(dir, "a-b"))],
  ["another name", (dir) => rename(join(dir, "a-b"), join(dir, "a-c"))],
];

for (const type of ["p-256", "p-384"]) {
  test(`each verifies a folder that the other signed with a ${type} key, and no changed one`, async (t) => {
    const reference = program(t, "model_signing");
    if (reference === undefined) return;
    const { folder, dir } = await model(t);
    const { key, pub } = await keys(folder, type);
    const [ours, theirs] = [join(folder, "ours.sig"), join(folder, "theirs.sig")];
    const byReference = (at: string) => run(reference, ["verify", "key", at, "--public_key", pub, "--signature", ours]);
    const byTally = (at: string) => tally(["model", "verify", at, "--key", pub, "--signature", theirs]);
    good(await tally(["model", "sign", dir, "--key", key, "-o", ours]));
    good(await run(reference, ["sign", "key", dir, "--private_key", key, "--signature", theirs]));
    assert.match((await byReference(dir)).stdout, /Verification succeeded/);
    good(await byTally(dir));
    for (const [what, change] of changes) {
      const changed = join(folder, what, "model");
      await cp(dir, changed, { recursive: true });
      await change(changed);
      assert.notEqual((await byReference(changed)).code, 0, what);
      assert.equal((await byTally(changed)).code, 3, what);
    }
  });
}

for (const curve of ["P-256", "P-384"]) {
  test(`each verifies the other's signature by a certificate chain with a ${curve} key, and trusts no other root`, async (t) => {
    const reference = program(t, "model_signing");
    if (reference === undefined) return;
    const { folder, dir } = await model(t);
    const chain = await makeChain(folder, "publisher", curve);
    const other = await makeChain(folder, "stranger");
    const ours = join(folder, "ours.sig");
    good(await tally(["model", "sign", dir, "--key", chain.key, "--certificate-chain", chain.whole, "-o", ours]));
    const theirs = join(folder, "theirs.sig");
    good(
      await run(reference, [
        ...["sign", "certificate", dir, "--private_key", chain.key, "--signing_certificate", chain.leaf],
        ...["--certificate_chain", chain.issuers, "--signature", theirs],
      ]),
    );
    const verifyOurs = ["verify", "certificate", dir, "--signature", ours, "--certificate_chain"];
    assert.match((await run(reference, [...verifyOurs, chain.root])).stdout, /Verification succeeded/);
    assert.notEqual((await run(reference, [...verifyOurs, other.root])).code, 0);
    const verifyTheirs = ["model", "verify", dir, "--signature", theirs, "--certificate-chain"];
    good(await tally([...verifyTheirs, chain.root]));
    assert.equal((await tally([...verifyTheirs, other.root])).code, 3);
  });
}

test("each leaves out the other's ignored paths, and neither takes one that was not named", async (t) => {
  const reference = program(t, "model_signing");
  if (reference === undefined) return;
  const { folder, dir } = await model(t);
  const { key, pub } = await keys(folder, "p-256");
  const [ours, theirs] = [join(folder, "ours.sig"), join(folder, "theirs.sig")];
  await mkdir(join(dir, "cache"));
  good(await tally(["model", "sign", dir, "--key", key, "-o", ours, "--ignore-paths", "cache"]));
  good(
    await run(reference, [
      ...["sign", "key", dir, "--private_key", key, "--signature", theirs],
      ...["--ignore-paths", join(dir, "cache")],
    ]),
  );
  await writeFile(join(dir, "cache", "blob"), "whatever");
  const byReference = () => run(reference, ["verify", "key", dir, "--public_key", pub, "--signature", ours]);
  const byTally = () => tally(["model", "verify", dir, "--key", pub, "--signature", theirs]);
  good(await byReference());
  good(await byTally());
  await mkdir(join(dir, "a", "cache"));
  await writeFile(join(dir, "a", "cache", "blob"), "whatever");
  assert.notEqual((await byReference()).code, 0);
  assert.equal((await byTally()).code, 3);
});

test("each refuses links, and follows links to files where the signature says so", async (t) => {
  const reference = program(t, "model_signing");
  if (reference === undefined) return;
  const { folder, dir } = await model(t);
  const { key, pub } = await keys(folder, "p-256");
  const [ours, theirs] = [join(folder, "ours.sig"), join(folder, "theirs.sig")];
  await symlink("model.onnx", join(dir, "latest.onnx"));
  const refused = await tally(["model", "sign", dir, "--key", key, "-o", ours]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /latest\.onnx is neither a regular file nor a folder/);
  const signByReference = ["sign", "key", dir, "--private_key", key, "--signature", theirs];
  assert.notEqual((await run(reference, signByReference)).code, 0);
  good(await tally(["model", "sign", dir, "--key", key, "-o", ours, "--allow-symlinks"]));
  good(await run(reference, [...signByReference, "--allow_symlinks"]));
  const verifyOurs = ["verify", "key", dir, "--public_key", pub, "--signature", ours, "--allow_symlinks"];
  good(await run(reference, verifyOurs));
  good(await tally(["model", "verify", dir, "--key", pub, "--signature", theirs]));
  await rm(join(dir, "latest.onnx"));
  await symlink("a-b", join(dir, "latest.onnx"));
  assert.notEqual((await run(reference, verifyOurs)).code, 0);
  assert.equal((await tally(["model", "verify", dir, "--key", pub, "--signature", theirs])).code, 3);
});

test("a file in a linked folder is signed by Tally and overlooked by model_signing, so Tally refuses its signature", async (t) => {
  const reference = program(t, "model_signing");
  if (reference === undefined) return;
  const { folder, dir } = await model(t);
  const { key, pub } = await keys(folder, "p-256");
  await mkdir(join(folder, "elsewhere"));
  await writeFile(join(folder, "elsewhere", "weights"), "as signed");
  await symlink(join(folder, "elsewhere"), join(dir, "linked"));
  const [ours, theirs] = [join(folder, "ours.sig"), join(folder, "theirs.sig")];
  good(await run(reference, ["sign", "key", dir, "--private_key", key, "--signature", theirs, "--allow_symlinks"]));
  const report = await tally(["model", "verify", dir, "--key", pub, "--signature", theirs]);
  assert.equal(report.code, 3);
  assert.match(report.stdout, /linked\/weights is there, but it is not signed/);
  good(await tally(["model", "sign", dir, "--key", key, "-o", ours, "--allow-symlinks"]));
  const verify = ["model", "verify", dir, "--key", pub, "--signature", ours];
  good(await tally(verify));
  await writeFile(join(folder, "elsewhere", "weights"), "changed!!");
  assert.equal((await tally(verify)).code, 3);
});

test("one file: Tally verifies what model_signing calls `.`, which verifies Tally's in its own dialect", async (t) => {
  const reference = program(t, "model_signing");
  if (reference === undefined) return;
  const { folder, dir } = await model(t);
  const { key, pub } = await keys(folder, "p-256");
  const file = join(dir, "model.onnx");
  const [ours, theirs, dialect] = ["ours", "theirs", "dialect"].map((name) => join(folder, `${name}.sig`));
  good(await run(reference, ["sign", "key", file, "--private_key", key, "--signature", theirs!]));
  good(await tally(["model", "sign", file, "--key", key, "-o", ours!]));
  good(await tally(["model", "sign", file, "--key", key, "-o", dialect!, "--dialect", "model_signing"]));
  const byReference = (signature: string) =>
    run(reference, ["verify", "key", file, "--public_key", pub, "--signature", signature]);
  const byTally = (signature: string) => tally(["model", "verify", file, "--key", pub, "--signature", signature]);
  for (const signature of [ours!, theirs!, dialect!]) good(await byTally(signature));
  good(await byReference(dialect!));
  // The specification has the file called by its name; the tool does not look for that.
  assert.match((await byReference(ours!)).stderr, /Extra files found in model 'model\.onnx': \./);
  await appendFile(file, "x");
  for (const signature of [ours!, theirs!, dialect!]) assert.equal((await byTally(signature)).code, 3);
  assert.notEqual((await byReference(dialect!)).code, 0);
});

/** What the tool's command line has no flags for: its Python interface. Told no shard size it reads it from the signature. */
const shards = `
import sys
from model_signing import hashing, signing, verifying
what, model, key, signature, *size = sys.argv[1:]
told = hashing.Config().use_shard_serialization(shard_size=int(size[0])) if size else None
if what == "sign":
    signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(told).sign(model, signature)
else:
    config = verifying.Config().use_elliptic_key_verifier(public_key=key)
    (config.set_hashing_config(told) if told else config).verify(model, signature)
`;

test("shards: Tally verifies model_signing's, which verifies Tally's in its own dialect", async (t) => {
  const reference = program(t, "model_signing");
  if (reference === undefined) return;
  const python = join(dirname(await realpath(reference)), "python");
  const { folder, dir } = await model(t);
  const { key, pub } = await keys(folder, "p-256");
  const script = join(folder, "shards.py");
  await writeFile(script, shards);
  const [ours, theirs, dialect] = ["ours", "theirs", "dialect"].map((name) => join(folder, `${name}.sig`));
  good(await run(python, [script, "sign", dir, key, theirs!, "1000"]));
  good(await tally(["model", "sign", dir, "--key", key, "-o", ours!, "--shard-size", "1000"]));
  good(
    await tally([
      ...["model", "sign", dir, "--key", key, "-o", dialect!, "--shard-size", "1000", "--dialect", "model_signing"],
    ]),
  );
  const byTally = (signature: string) => tally(["model", "verify", dir, "--key", pub, "--signature", signature]);
  const byReference = (signature: string, ...size: string[]) =>
    run(python, [script, "verify", dir, pub, signature, ...size]);
  for (const signature of [ours!, theirs!, dialect!]) good(await byTally(signature));
  good(await byReference(dialect!));
  good(await byReference(dialect!, "1000"));
  assert.match((await byReference(ours!, "1000")).stderr, /Hash mismatch for 'a-b:0:5'/);
  // It writes the size as 1000.0, which it cannot read back.
  assert.match((await byReference(theirs!)).stderr, /'float' object cannot be interpreted as an integer/);
  await writeFile(join(dir, "model.onnx"), "WEIGHTS of a model\n".repeat(100));
  for (const signature of [ours!, theirs!, dialect!]) assert.equal((await byTally(signature)).code, 3);
  assert.notEqual((await byReference(dialect!, "1000")).code, 0);
});
