// What `tally export` writes, read by other people's programs.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { Loop } from "../packages/cli/src/testing/loop.ts";
import { program } from "./programs.ts";

const run = promisify(execFile);

test("skopeo reads the folder and the tar that tally export wrote, and what it copies of them is what was sent", async (t) => {
  const skopeo = program(t, "skopeo");
  if (skopeo === undefined) return;
  const loop = await Loop.start(t);
  const manifest = await loop.publish();
  await loop.do("export", "tiny:v1", "-o", "carried");
  await loop.do("export", "tiny:v1", "-o", "carried.tar");
  for (const from of ["oci:carried:v1", "oci-archive:carried.tar:v1"]) {
    const raw: { stdout: Buffer } = await run(skopeo, ["inspect", "--raw", from], {
      cwd: loop.folder,
      encoding: "buffer",
    });
    assert.equal(`sha256:${createHash("sha256").update(raw.stdout).digest("hex")}`, manifest, from);
    const to = `copied-${from.split(":", 1)}`;
    await run(skopeo, ["copy", "--preserve-digests", from, `oci:${to}:v1`], { cwd: loop.folder });
    const copied = JSON.parse(await readFile(join(loop.folder, to, "index.json"), "utf8"));
    assert.equal(copied.manifests[0].digest, manifest);
  }
});

test("oras discovers the signature and the evidence in the folder that tally export wrote, and pulls the model", async (t) => {
  const oras = program(t, "oras");
  if (oras === undefined) return;
  const loop = await Loop.start(t);
  const manifest = await loop.publish();
  await loop.enrol();
  await loop.infer();
  await loop.do("export", "tiny:v1", "-o", "carried", "--segments");
  const cwd = loop.folder;
  const found = await run(oras, ["discover", "--oci-layout", "--format", "json", "carried:v1"], { cwd });
  const { referrers, manifests = referrers } = JSON.parse(found.stdout) as Record<string, { artifactType: string }[]>;
  assert.deepEqual(manifests!.map(({ artifactType }) => artifactType).sort(), [
    // Of the model's files, and of the manifest.
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.kitops.modelkit.manifest.v1+json",
    "application/vnd.tally.bundle",
  ]);
  await run(oras, ["copy", "--from-oci-layout", "-r", "carried:v1", "--to-oci-layout", "again:v1"], { cwd });
  const fetched = await run(oras, ["manifest", "fetch", "--oci-layout", "--descriptor", "again:v1"], { cwd });
  assert.equal(JSON.parse(fetched.stdout).digest, manifest);
});

test("a layout that oras copied is one that tally import verifies", async (t) => {
  const oras = program(t, "oras");
  if (oras === undefined) return;
  const loop = await Loop.start(t);
  await loop.publish();
  await loop.do("export", "tiny:v1", "-o", "carried");
  const cwd = loop.folder;
  await run(oras, ["copy", "--from-oci-layout", "-r", "carried:v1", "--to-oci-layout", "again:v1"], { cwd });
  const said = await loop.try("import", "again", "--check");
  assert.equal(said.code, 0, said.out + said.err);
});
