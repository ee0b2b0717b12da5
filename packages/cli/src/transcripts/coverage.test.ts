import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import type { Command } from "commander";
import { program } from "../program.ts";
import { readTranscript } from "./stage.ts";
import { story } from "./story.ts";
import { parseTranscript } from "./transcript.ts";

const silent = { write: () => true };
const root = await program(
  {
    stdout: silent,
    stderr: silent,
    env: {},
    cwd: ".",
    stdin: (async function* () {})(),
    stop: new AbortController().signal,
  },
  () => {},
);

function leaves(command: Command, path: string): readonly string[] {
  const own = command.commands.filter((child) => child.name() !== "help");
  return own.length === 0 ? [path] : own.flatMap((child) => leaves(child, `${path} ${child.name()}`));
}

const texts = await Promise.all(story.map(readTranscript));

test("every transcript has its place in the story", async () => {
  const files = await readdir(new URL(".", import.meta.url));
  const names = files.filter((file) => file.endsWith(".txt")).map((file) => file.slice(0, -".txt".length));
  assert.deepEqual(names.sort(), [...story].sort());
});

test("every command is shown to do what it is for, not only to refuse", () => {
  const steps = texts.flatMap(parseTranscript);
  for (const command of leaves(root, "tally")) {
    const shown = steps.some((step) => step.command.includes(command) && step.exitCode === 0);
    assert.ok(shown, `no transcript shows \`${command}\` succeed`);
  }
});

test("every documented exit code is shown, but for the unexpected", () => {
  const codes = new Set(texts.flatMap(parseTranscript).map(({ exitCode }) => exitCode));
  for (const code of [0, 2, 3, 4, 5, 6]) assert.ok(codes.has(code), `no transcript ends with ${code}`);
});

test("docs/cli.md names every command, and its examples stand in the transcripts word for word", async () => {
  const docs = await readFile(new URL("../../../../docs/cli.md", import.meta.url), "utf8");
  for (const command of leaves(root, "tally"))
    assert.ok(docs.includes(`\`${command}`), `docs/cli.md does not name \`${command}\``);
  const examples = [...docs.matchAll(/```console\n([\s\S]*?)```/g)].map(([, example]) => example!.trim());
  assert.ok(examples.length >= 15);
  for (const example of examples) {
    assert.ok(
      texts.some((text) => text.includes(example)),
      `not in any transcript:\n${example}`,
    );
  }
});
