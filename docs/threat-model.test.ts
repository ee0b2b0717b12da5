import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const page = readFileSync(new URL("threat-model.md", import.meta.url), "utf8");
const rooms = new URL("../packages/", import.meta.url);

/** `path/x.test.ts` "name": a test that the page relies on. */
const named = [...page.matchAll(/`([a-z0-9/-]+\.test\.ts)`\s+"([^"]+)"/g)].map(([, file, name]) => ({
  file: file!,
  name: name!,
}));

test("every test that the threat model names is in the file that it names", () => {
  assert.ok(named.length > 150, `only ${named.length} tests were found on the page`);
  const missing = named.filter(({ file, name }) => {
    const path = new URL(file, rooms);
    return !existsSync(path) || !readFileSync(path, "utf8").includes(name);
  });
  assert.deepEqual(missing, []);
});

test("every row of the table names a test, or says that nothing is there", () => {
  const rows = page.slice(page.indexOf("## Every rule, and its test")).match(/^\| (?!what holds|-).*$/gm) ?? [];
  assert.ok(rows.length > 100);
  const bare = rows.filter((row) => !/\.test\.ts` "|\| not prevented|\| not built/.test(row));
  assert.deepEqual(bare, []);
});
