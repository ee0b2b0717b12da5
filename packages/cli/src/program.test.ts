import assert from "node:assert/strict";
import { test } from "node:test";
import { commands } from "./commands/index.ts";
import { program } from "./program.ts";
import type { Terminal } from "./terminal/index.ts";

const silent = { write: () => true };
const terminal: Terminal = {
  stdout: silent,
  stderr: silent,
  env: {},
  cwd: ".",
  stdin: (async function* () {})(),
  stop: new AbortController().signal,
};

async function loadedFor(...args: string[]): Promise<readonly string[]> {
  return (await program(terminal, () => {}, args)).commands.map((command) => command.name());
}

test("each command is found under its own name, and loaded without the others", async () => {
  for (const name of commands.keys()) assert.deepEqual(await loadedFor(name, "--help"), [name]);
});

test("what lists or searches commands has all of them, in their order", async () => {
  for (const args of [[], ["--help"], ["help", "model"], ["modle"]])
    assert.deepEqual(await loadedFor(...args), [...commands.keys()]);
});

test("the version is printed without any command", async () => {
  assert.deepEqual(await loadedFor("--version"), []);
});
