import assert from "node:assert/strict";
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { CliError } from "./exit-code.ts";
import { required, settings } from "./settings.ts";
import type { Terminal } from "./terminal.ts";

const dir = await realpath(await mkdtemp(join(tmpdir(), "tally-settings-")));
after(() => rm(dir, { recursive: true }));

function terminal(env: Record<string, string> = {}): Terminal {
  const silent = { write: () => true };
  return {
    stdout: silent,
    stderr: silent,
    env,
    cwd: dir,
    stdin: (async function* () {})(),
    stop: new AbortController().signal,
  };
}

test("a flag stands above a variable, a variable above config.json", async () => {
  await writeFile(join(dir, "config.json"), JSON.stringify({ url: "http://file", trust: "file.json", capture: 3 }));
  const env = { TALLY_URL: "http://variable", TALLY_TOKEN: "" };
  const found = await settings(terminal(env), { dir: "." });
  assert.deepEqual(found.url, { name: "url", value: "http://variable", from: "TALLY_URL" });
  assert.deepEqual(found.trust, { name: "trust", value: "file.json", from: join(dir, "config.json") });
  assert.deepEqual(found.token, { name: "token", value: undefined, from: "not set" });
  assert.equal((await settings(terminal(env), { dir: ".", url: "http://flag" })).url.value, "http://flag");
});

test("the folder is .tally below where the person stands, unless another is named", async () => {
  assert.deepEqual((await settings(terminal(), {})).dir, { name: "dir", value: join(dir, ".tally"), from: "default" });
  assert.equal((await settings(terminal({ TALLY_DIR: "a/b" }), {})).dir.value, join(dir, "a/b"));
});

test("what a command needs and nobody set is named, with how to set it", async () => {
  const { url } = await settings(terminal(), {});
  assert.throws(
    () => required(url),
    (error) => error instanceof CliError && error.exitCode === 2 && /--url.*TALLY_URL/.test(error.hint ?? ""),
  );
});

test("a config.json that is no JSON object is named", async () => {
  await writeFile(join(dir, "config.json"), "[1]");
  await assert.rejects(settings(terminal(), { dir: "." }), {
    exitCode: 2,
    message: /config\.json is not a JSON object/,
  });
});
