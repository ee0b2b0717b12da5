// kit (https://github.com/kitops-ml/kitops) and Tally's ModelKits, both ways, over the registry of `tally serve`.
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openSegment } from "@tally/edge";
import { attach, copyArtifact, ImageLayout, RegistryClient, unpackModelKit } from "@tally/oci";
import { program } from "./programs.ts";
import { packedSegment } from "./segment.ts";
import { runTally, type Served, served } from "./served.ts";
import { temporaryFolder } from "./server-process.ts";
import { mustRun, type Ran, runProgram } from "./tool.ts";

interface Scene {
  readonly plane: Served;
  readonly dir: string;
  readonly ref: (name: string) => string;
  readonly at: (repository: string) => RegistryClient;
  kit(...args: readonly string[]): Promise<string>;
  tryKit(...args: readonly string[]): Promise<Ran>;
}

/** A plane at which kit is logged in, and a folder with a model, its words and some code. */
async function scene(t: TestContext): Promise<Scene | undefined> {
  const path = program(t, "kit");
  if (path === undefined) return undefined;
  const plane = await served(t);
  const dir = await temporaryFolder(t);
  const env = { KITOPS_HOME: join(dir, "kitops"), HOME: dir };
  await mustRun(path, ["login", plane.host, "--plain-http", "-u", "anybody", "--password-stdin"], {
    input: plane.adminToken,
    env,
  });
  await write(join(dir, "model"), {
    "model/model.onnx": "weights",
    "model/labels.txt": "a\nb\n",
    "README.md": "# Words\n",
  });
  return {
    plane,
    dir,
    ref: (name) => `${plane.host}/${name}`,
    at: (repository) => new RegistryClient({ url: plane.url, repository, token: plane.adminToken }),
    kit: (...args) => mustRun(path, args, { cwd: dir, env }),
    tryKit: (...args) => runProgram(path, args, { cwd: dir, env }),
  };
}

async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

/** Names and contents of a folder's files, the Kitfile aside: each tool writes its own. */
async function contents(folder: string): Promise<Record<string, string>> {
  const items = await readdir(folder, { recursive: true, withFileTypes: true });
  const found: Record<string, string> = {};
  for (const item of items.sort((a, b) => (join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1))) {
    const path = join(item.parentPath, item.name);
    if (item.isFile() && item.name !== "Kitfile") found[path.slice(folder.length + 1)] = await readFile(path, "utf8");
  }
  return found;
}

const kitfile = (model: string, more = "") => `manifestVersion: "1.0.0"
package:
  name: example
model:
  path: ${model}
${more}`;

/** What `tally model pack` makes of a folder, in the plane's registry. */
async function packed({ dir, at }: Scene, folder: string, repository: string, tag: string): Promise<void> {
  const layout = join(dir, `layout-${repository}`);
  await runTally(["model", "pack", folder, "-o", layout]);
  await copyArtifact(await ImageLayout.open(layout), at(repository), "latest", { tag });
}

test("kit unpacks what `tally model pack` packed", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  await packed(s, join(s.dir, "model"), "packed", "v1");
  await s.kit("unpack", s.ref("packed:v1"), "-d", "out", "--plain-http");
  assert.deepEqual(await contents(join(s.dir, "out")), await contents(join(s.dir, "model")));
  assert.match(await s.kit("info", s.ref("packed:v1"), "--remote", "--plain-http"), /path: \.?\/?model/);
});

test("kit packs what `tally model pull` unpacked, and what comes back is still as it was signed", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  const { dir, plane, at, ref } = s;
  const [key, pub, signature] = ["key.pem", "key.pub.pem", "model.sig"].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  await runTally(["keygen", join(dir, "key"), "--no-passphrase"]);
  await runTally(["model", "sign", join(dir, "model"), "--key", key, "-o", signature]);
  await packed(s, join(dir, "model"), "signed", "v1");
  const { descriptor } = await at("signed").resolve("v1");
  await attach(at("signed"), { subject: descriptor, bundle: await readFile(signature), created: new Date() });
  const env = { TALLY_URL: plane.url, TALLY_TOKEN: plane.adminToken };
  await runTally(["model", "pull", "signed:v1", "-o", join(dir, "pulled"), "--key", pub], env);
  await writeFile(join(dir, "pulled", "Kitfile"), kitfile("model", "docs:\n  - path: README.md\n"));
  await s.kit("pack", "pulled", "-t", ref("repacked:v1"));
  await s.kit("push", ref("repacked:v1"), "--plain-http");
  const into = join(dir, "back");
  const { format } = await unpackModelKit({ source: at("repacked"), reference: "v1", into });
  assert.equal(format, "modelkit");
  await runTally(["model", "verify", into, "--signature", signature, "--key", pub]);
});

test("a model that kit pushed is registered by its signature, and known to the plane from then on", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  const { dir, plane, ref } = s;
  const env = { TALLY_URL: plane.url, TALLY_TOKEN: plane.adminToken };
  const [key, pub, signature] = ["key.pem", "key.pub.pem", "model.sig"].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  await runTally(["keygen", join(dir, "key"), "--no-passphrase"]);
  await runTally(["identity", "add", "maker", "--key", pub, "--may", "sign-model"], env);
  await runTally(["model", "sign", join(dir, "model"), "--key", key, "-o", signature]);
  await writeFile(join(dir, "model", "Kitfile"), kitfile("model", "docs:\n  - path: README.md\n"));
  await s.kit("pack", "model", "-t", ref("made/by-kit:v1"));
  await s.kit("push", ref("made/by-kit:v1"), "--plain-http");

  const register = ["model", "register", "made/by-kit:v1", "--key", key];
  await assert.rejects(runTally(register, env), /no signature of a model is attached to made\/by-kit:v1/);
  const manifest = (await runTally([...register, "--signature", signature], env)).trim();
  assert.match(await runTally(["statement", "list", "--subject", manifest], env), / {2}model {2}maker/);
  assert.equal((await runTally(register, env)).trim(), manifest, "by the signature that is attached now");
});

test("a ModelKit of kit that names another as its base is unpacked by Tally, whoever packed the base", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  const { dir, at, ref } = s;
  await packed(s, join(dir, "model"), "base", "v1");
  await write(join(dir, "tuned"), {
    Kitfile: kitfile(ref("base:v1"), "code:\n  - path: run.py\n"),
    "run.py": "print()\n",
  });
  await s.kit("pull", ref("base:v1"), "--plain-http");
  await s.kit("pack", "tuned", "-t", ref("tuned:v1"));
  await s.kit("push", ref("tuned:v1"), "--plain-http");
  const into = join(dir, "out");
  const { bases } = await unpackModelKit({ source: at("tuned"), reference: "v1", into });
  assert.deepEqual(Object.keys(await contents(into)), ["model/model.onnx", "run.py"]);
  assert.equal(bases[0]?.text, ref("base:v1"));
});

test("a ModelKit of Tally that names another as its base is unpacked by kit, to the same files as by Tally", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  const { dir, at, ref } = s;
  await write(join(dir, "kits"), { Kitfile: kitfile("model"), "model/m.bin": "weights of kit" });
  await s.kit("pack", "kits", "-t", ref("base:v1"));
  await s.kit("push", ref("base:v1"), "--plain-http");
  await write(join(dir, "tuned"), {
    Kitfile: kitfile(ref("base:v1"), "code:\n  - path: run.py\n"),
    "run.py": "print()\n",
  });
  await packed(s, join(dir, "tuned"), "tuned", "v1");
  await s.kit("unpack", ref("tuned:v1"), "-d", "by-kit", "--plain-http");
  await unpackModelKit({ source: at("tuned"), reference: "v1", into: join(dir, "by-tally") });
  const files = await contents(join(dir, "by-kit"));
  assert.deepEqual(Object.keys(files), ["model/m.bin", "run.py"]);
  assert.deepEqual(await contents(join(dir, "by-tally")), files);
});

test("neither follows a base that refers to itself", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  const { dir, at, ref } = s;
  await write(join(dir, "loop"), { Kitfile: kitfile(ref("loop:v1"), "docs:\n  - path: a.md\n"), "a.md": "a" });
  await packed(s, join(dir, "loop"), "loop", "v1");
  await assert.rejects(unpackModelKit({ source: at("loop"), reference: "v1", into: join(dir, "out") }), {
    code: "modelkit-invalid",
  });
  const { code, err, out } = await s.tryKit("unpack", ref("loop:v1"), "-d", "by-kit", "--plain-http");
  assert.notEqual(code, 0);
  assert.match(err + out, /cycle/);
});

test("kit unpacks a segment, and every row of the folder is proven", async (t) => {
  const s = await scene(t);
  if (s === undefined) return;
  const { manifest, source, indices } = await packedSegment(t);
  await copyArtifact(source, s.at("segments"), manifest, { tag: "s1" });
  await s.kit("unpack", s.ref("segments:s1"), "-d", "segment", "--plain-http");
  const { rows } = await openSegment(join(s.dir, "segment"));
  assert.deepEqual(
    rows.map(({ index }) => index),
    indices,
  );
  assert.match(await readFile(join(s.dir, "segment", "Kitfile"), "utf8"), /origin: /);
  const verified = JSON.parse(await runTally(["verify", join(s.dir, "segment"), "--json"], {}, 6));
  assert.deepEqual(
    verified.checks
      .filter(({ result }: { result: string }) => result !== "good")
      .map(({ name }: { name: string }) => name),
    ["device", "time"],
  );
});
