// oras (https://oras.land) against the registry of `tally serve`: logged in with a token, pushing, pulling, attaching, discovering,
// copying to and from other registries.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { RegistryClient } from "@tally/oci";
import { program } from "./programs.ts";
import { otherRegistry, type RegistryName } from "./registries.ts";
import { type Served, served } from "./served.ts";
import { temporaryFolder } from "./server-process.ts";
import { mustRun, type Ran, runProgram } from "./tool.ts";

interface Scene {
  readonly plane: Served;
  readonly dir: string;
  /** The plane's registry as oras writes it. */
  readonly ref: (name: string) => string;
  oras(...args: readonly string[]): Promise<string>;
  tryOras(...args: readonly string[]): Promise<Ran>;
}

/** A plane at which oras is logged in as its administrator, and a folder with two files. */
async function scene(t: TestContext): Promise<Scene | undefined> {
  const path = program(t, "oras");
  if (path === undefined) return undefined;
  const plane = await served(t);
  const dir = await temporaryFolder(t);
  const env = { DOCKER_CONFIG: join(dir, "docker"), HOME: dir };
  const login = ["login", "--plain-http", "-u", "anybody", "--password-stdin", plane.host];
  await mustRun(path, login, { input: plane.adminToken, env });
  await writeFile(join(dir, "weights.bin"), randomBytes(3_000_000));
  await writeFile(join(dir, "notes.md"), "# Notes\n");
  return {
    plane,
    dir,
    ref: (name) => `${plane.host}/${name}`,
    oras: (...args) => mustRun(path, args, { cwd: dir, env }),
    tryOras: (...args) => runProgram(path, args, { cwd: dir, env }),
  };
}

const artifactType = "application/vnd.example.model";

async function push({ oras, ref }: Scene, name: string): Promise<void> {
  const files = ["weights.bin:application/octet-stream", "notes.md:text/markdown"];
  await oras("push", "--plain-http", "--artifact-type", artifactType, ref(name), ...files);
}

interface Discovered {
  readonly referrers?: readonly Listed[];
  readonly manifests?: readonly Listed[];
}
interface Listed {
  readonly digest: string;
  readonly artifactType: string;
}

async function discovered({ oras }: Scene, ref: string, ...flags: readonly string[]): Promise<readonly Listed[]> {
  const found = JSON.parse(await oras("discover", "--plain-http", "--format", "json", ...flags, ref)) as Discovered;
  return found.referrers ?? found.manifests ?? [];
}

test("oras pushes to Tally and pulls the same bytes back, by tag and by digest", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  await push(s, "kits/a:v1");
  const digest = (await s.oras("resolve", "--plain-http", s.ref("kits/a:v1"))).trim();
  for (const ref of [s.ref("kits/a:v1"), s.ref(`kits/a@${digest}`)]) {
    await s.oras("pull", "--plain-http", "-o", "out", ref);
    assert.deepEqual(await readFile(join(s.dir, "out/weights.bin")), await readFile(join(s.dir, "weights.bin")));
  }
  const client = new RegistryClient({ url: s.plane.url, repository: "kits/a", token: s.plane.adminToken });
  const { manifest } = await client.resolve("v1");
  assert.equal(manifest.artifactType, artifactType);
});

test("oras tags, lists tags in pages, and deletes tags, manifests and blobs", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  await push(s, "kits/a:v1");
  await s.oras("tag", "--plain-http", s.ref("kits/a:v1"), "latest", "v1.0", "V2");
  const tags = await s.oras("repo", "tags", "--plain-http", s.ref("kits/a"));
  assert.deepEqual(tags.trim().split("\n"), ["V2", "latest", "v1", "v1.0"]);
  const after = await s.oras("repo", "tags", "--plain-http", "--last", "latest", s.ref("kits/a"));
  assert.deepEqual(after.trim().split("\n"), ["v1", "v1.0"]);
  const blob = JSON.parse(await s.oras("blob", "push", "--plain-http", "--descriptor", s.ref("kits/a"), "notes.md"));
  const needed = await s.tryOras("blob", "delete", "--plain-http", "--force", s.ref(`kits/a@${blob.digest}`));
  assert.notEqual(needed.code, 0);
  assert.match(needed.err, /delete that manifest first/);
  const digest = (await s.oras("resolve", "--plain-http", s.ref("kits/a:v1"))).trim();
  await s.oras("manifest", "delete", "--plain-http", "--force", s.ref(`kits/a@${digest}`));
  await s.oras("blob", "delete", "--plain-http", "--force", s.ref(`kits/a@${blob.digest}`));
  assert.equal((await s.oras("repo", "tags", "--plain-http", s.ref("kits/a"))).trim(), "");
  assert.notEqual((await s.tryOras("manifest", "fetch", "--plain-http", s.ref("kits/a:v1"))).code, 0);
});

test("what oras attaches it discovers by artifact type, and so does Tally's client", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  await push(s, "kits/a:v1");
  for (const type of [
    "application/vnd.example.report",
    "application/vnd.example.report",
    "application/vnd.example.bom",
  ]) {
    await writeFile(join(s.dir, "report.txt"), randomBytes(8).toString("hex"));
    await s.oras("attach", "--plain-http", "--artifact-type", type, s.ref("kits/a:v1"), "report.txt:text/plain");
  }
  assert.equal((await discovered(s, s.ref("kits/a:v1"))).length, 3);
  const reports = await discovered(s, s.ref("kits/a:v1"), "--artifact-type", "application/vnd.example.report");
  assert.deepEqual(
    reports.map((each) => each.artifactType),
    ["application/vnd.example.report", "application/vnd.example.report"],
  );
  const client = new RegistryClient({ url: s.plane.url, repository: "kits/a", token: s.plane.adminToken });
  const { digest } = await client.resolve("v1");
  const found = await Array.fromAsync(client.referrers(digest, "application/vnd.example.report"));
  assert.deepEqual(found.map((each) => each.digest).sort(), reports.map((each) => each.digest).sort());
  // No list was kept under the fallback tag: the registry says that it keeps one.
  assert.deepEqual(await Array.fromAsync(client.tags()), ["v1"]);
});

test("a blob that is there already in another repository is mounted, not sent", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  await push(s, "kits/a:v1");
  const said = await s.oras("cp", "--from-plain-http", "--to-plain-http", s.ref("kits/a:v1"), s.ref("kits/b:v1"));
  assert.match(said, /Mounted/);
  assert.equal(
    await s.oras("resolve", "--plain-http", s.ref("kits/b:v1")),
    await s.oras("resolve", "--plain-http", s.ref("kits/a:v1")),
  );
});

for (const name of ["docker-registry", "zot"] satisfies RegistryName[]) {
  test(`oras copies an artifact with what is attached from Tally to ${name} and back`, async (t) => {
    const s = await scene(t);
    if (s === undefined) return;
    const other = await otherRegistry(t, name);
    if (other === undefined) return;
    await push(s, "kits/a:v1");
    await s.oras(
      "attach",
      "--plain-http",
      "--artifact-type",
      "application/vnd.example.bom",
      s.ref("kits/a:v1"),
      "notes.md",
    );
    const there = `${other.host}/kits/a:v1`;
    const plain = ["cp", "-r", "--from-plain-http", "--to-plain-http"];
    await s.oras(...plain, s.ref("kits/a:v1"), there);
    await s.oras(...plain, there, s.ref("back/a:v1"));
    const [first, middle, last] = await Promise.all(
      [s.ref("kits/a:v1"), there, s.ref("back/a:v1")].map((ref) => discovered(s, ref)),
    );
    assert.equal(first!.length, 1);
    assert.deepEqual(
      middle!.map(({ digest }) => digest),
      first!.map(({ digest }) => digest),
    );
    assert.deepEqual(
      last!.map(({ digest }) => digest),
      first!.map(({ digest }) => digest),
    );
    await mkdir(join(s.dir, "back"));
    await s.oras("pull", "--plain-http", "-o", "back", s.ref("back/a:v1"));
    assert.deepEqual(await readFile(join(s.dir, "back/weights.bin")), await readFile(join(s.dir, "weights.bin")));
  });
}

test("a wrong token is refused at login, and who may only read is refused a push", async (t) => {
  const path = program(t, "oras");
  if (path === undefined) return;
  const plane = await served(t);
  const dir = await temporaryFolder(t);
  const env = { DOCKER_CONFIG: join(dir, "docker"), HOME: dir };
  await writeFile(join(dir, "notes.md"), "# Notes\n");
  const login = ["login", "--plain-http", "-u", "anybody", "--password-stdin", plane.host];
  const wrong = await runProgram(path, login, { input: `${plane.adminToken}x`, env });
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.err, /401|[Uu]nauthorized/);
  const made = await fetch(`${plane.url}/api/v1/tokens`, {
    method: "POST",
    headers: { Authorization: `Bearer ${plane.adminToken}`, "Content-Type": "application/json" },
    body: JSON.stringify({ role: "auditor" }),
  });
  const { token } = (await made.json()) as { token: string };
  await mustRun(path, login, { input: token, env });
  const pushed = await runProgram(path, ["push", "--plain-http", `${plane.host}/kits/a:v1`, "notes.md"], {
    cwd: dir,
    env,
  });
  assert.notEqual(pushed.code, 0);
  assert.match(pushed.err, /403|denied/i);
});
