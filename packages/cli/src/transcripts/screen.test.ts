import assert from "node:assert/strict";
import { test } from "node:test";
import { Bindings } from "./screen.ts";
import { isBackground, parseTranscript } from "./transcript.ts";

const a = `sha256:${"a".repeat(64)}`;
const b = `sha256:${"b".repeat(64)}`;

test("a named placeholder is the same wherever it stands again, a plain one is anything of its kind", () => {
  const bindings = new Bindings();
  assert.equal(bindings.match(["<model digest> <digest>"], [`${a} ${b}`]), undefined);
  assert.equal(bindings.fill("tally trace <model digest>"), `tally trace ${a}`);
  assert.equal(bindings.match(["<model digest>"], [a]), undefined);
  assert.match(bindings.match(["<model digest>"], [b]) ?? "", /expected/);
  assert.match(bindings.match(["<digest>"], ["sha256:short"]) ?? "", /found/);
});

test("a placeholder that was not seen yet cannot stand in a command; other words in brackets can", () => {
  assert.throws(() => new Bindings().fill("tally trace <other digest>"), /not seen/);
  assert.equal(new Bindings().fill("cat <somewhere>"), "cat <somewhere>");
});

test("dots stand for any lines, and at the end of a line for its rest", () => {
  const bindings = new Bindings();
  assert.equal(bindings.match(["first", "...", "last..."], ["first", "x", "y", "last words"]), undefined);
  assert.equal(bindings.match(["...", "last"], ["last"]), undefined);
  assert.notEqual(bindings.match(["first"], ["first", "second"]), undefined);
});

test("columns may be as wide as they need", () => {
  assert.equal(new Bindings().match(["a  b"], ["a      b"]), undefined);
  assert.notEqual(new Bindings().match(["a b"], ["a  b"]), undefined);
});

test("a transcript is commands with what they show and how they end", () => {
  const steps = parseTranscript("# words\n$ tally x\nerror: no\n? 2\n\n$ tally serve &\nhttp://x\n");
  assert.deepEqual(
    steps.map(({ command, expected, exitCode }) => [command, expected, exitCode]),
    [
      ["tally x", ["error: no"], 2],
      ["tally serve &", ["http://x"], 0],
    ],
  );
  assert.deepEqual(steps.map(isBackground), [false, true]);
  assert.throws(() => parseTranscript("stray\n"), /before the first command/);
});
