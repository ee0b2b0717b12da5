import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { registrySettings } from "./registry-settings.ts";
import type { Terminal } from "./terminal/index.ts";

const url = "https://registry.example:5000/team";

async function stage(t: TestContext, env: Record<string, string> = {}) {
  const cwd = await mkdtemp(join(tmpdir(), "tally-registry-"));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  const said: string[] = [];
  const write = (text: string) => said.push(text);
  const terminal: Terminal = {
    stdout: { write },
    stderr: { write },
    env,
    cwd,
    stdin: (async function* () {})(),
    stop: new AbortController().signal,
  };
  const file = async (content: unknown, mode = 0o600) => {
    await writeFile(join(cwd, "auth.json"), typeof content === "string" ? content : JSON.stringify(content));
    await chmod(join(cwd, "auth.json"), mode);
    return registrySettings(terminal, { registry: url, registryAuth: "auth.json" });
  };
  return { terminal, said, file };
}

const auth = Buffer.from("plane:a:b c").toString("base64");

test("credentials are read as docker and skopeo write them, by host and port", async (t) => {
  const { file } = await stage(t);
  const auths = { "registry.example": { auth: "eDp5" }, "registry.example:5000": { auth } };
  assert.deepEqual(await file({ auths }), { url, credentials: { username: "plane", token: "a:b c" } });
  assert.deepEqual(await file({ auths: { "https://registry.example:5000/v2/": { username: "u", password: "p" } } }), {
    url,
    credentials: { username: "u", token: "p" },
  });
});

test("credentials may stand in the environment, both of them", async (t) => {
  const pair = { TALLY_REGISTRY_USERNAME: "u", TALLY_REGISTRY_PASSWORD: "p" };
  const { terminal } = await stage(t, { ...pair, TALLY_REGISTRY: url });
  assert.deepEqual(await registrySettings(terminal, {}), { url, credentials: { username: "u", token: "p" } });
  const { terminal: half } = await stage(t, { TALLY_REGISTRY: url, TALLY_REGISTRY_PASSWORD: "p" });
  await assert.rejects(registrySettings(half, {}), /go together/);
});

test("a file that cannot be used is named, and nothing of it is repeated", async (t) => {
  const { file } = await stage(t);
  const withoutSecret = (words: RegExp) => (error: Error & { hint?: string }) => {
    assert.match(error.message, words);
    assert.equal(/s3cret/.test(error.message + (error.hint ?? "")), false);
    return true;
  };
  await assert.rejects(file('{"auths": s3cret'), withoutSecret(/is not JSON/));
  await assert.rejects(
    file({ auths: { other: { auth: "s3cret" } } }),
    withoutSecret(/no credentials for registry.example:5000/),
  );
  const token = { identitytoken: "s3cret" };
  await assert.rejects(file({ auths: { "registry.example:5000": token } }), withoutSecret(/no user and password/));
});

test("a file with credentials that others may read is said", async (t) => {
  const { file, said } = await stage(t);
  await file({ auths: { "registry.example:5000": { auth } } }, 0o644);
  assert.match(said.join(""), /can be read by other users.*chmod 600/);
});

test("options of an outside registry without one are refused, and no registry is no setting", async (t) => {
  const { terminal } = await stage(t);
  assert.equal(await registrySettings(terminal, {}), undefined);
  assert.equal(await registrySettings(terminal, { registry: "built-in" }), "built-in");
  await assert.rejects(
    registrySettings(terminal, { registryAuth: "auth.json" }),
    /--registry-auth is for an outside registry/,
  );
});
