import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const entry = fileURLToPath(new URL("./tally.js", import.meta.url));

/** A Node on the path that is older than the one Tally needs. */
function olderNode(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
  return folders
    .map((folder) => join(folder, "node"))
    .filter(existsSync)
    .find((node) => {
      const { stdout } = spawnSync(node, ["--version"], { encoding: "utf8" });
      const major = Number(/^v(\d+)\./.exec(stdout ?? "")?.[1]);
      return major < 26;
    });
}

test("a Node that is too old is told so in one line", (t) => {
  const node = olderNode();
  if (node === undefined) return t.skip("no older Node is on the path");
  const { status, stdout, stderr } = spawnSync(node, [entry, "env"], { encoding: "utf8" });
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^error: tally needs Node 26 or newer and this is v\d+\.\d+\.\d+; .+\n$/);
});

test("this Node runs it", () => {
  const { status, stdout } = spawnSync(process.execPath, [entry, "--version"], { encoding: "utf8" });
  assert.deepEqual([status, stdout], [0, "0.1.0\n"]);
});
