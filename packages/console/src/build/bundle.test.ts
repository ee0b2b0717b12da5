import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runInNewContext } from "node:vm";
import { bundle } from "./bundle.ts";
import { BuildError } from "./error.ts";

describe("a bundled program", () => {
  let root: string;
  const write = (files: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
  };
  const run = (entry: string): unknown => {
    const said: { value?: unknown } = {};
    runInNewContext(bundle(root, join(root, entry)).text, { said });
    return said.value;
  };
  before(() => {
    root = mkdtempSync(join(tmpdir(), "tally-bundle-test-"));
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  test("runs as its modules would: names, defaults, barrels, types gone", () => {
    write({
      "a/main.ts": `import word, { count as n, type Shape } from "./all.ts"; const s: Shape = { n }; said.value = word + s.n;`,
      "a/all.ts": `export * from "./count.ts"; export { default } from "./word.ts"; export type { Shape } from "./shape.ts";`,
      "a/count.ts": `export const count: number = 3;`,
      "a/word.ts": `export default "three: ";`,
      "a/shape.ts": `export interface Shape { readonly n: number }`,
    });
    assert.equal(run("a/main.ts"), "three: 3");
    assert.deepEqual(bundle(root, join(root, "a/main.ts")).modules, [
      "a/all.ts",
      "a/count.ts",
      "a/main.ts",
      "a/word.ts",
    ]);
  });

  test("sees a value that its module changes later, as an import does", () => {
    write({
      "b/main.ts": `import { up, value } from "./value.ts"; up(); said.value = value;`,
      "b/value.ts": `export let value = 1; export function up(): void { value += 1; }`,
    });
    assert.equal(run("b/main.ts"), 2);
  });

  test("may have modules that import each other", () => {
    write({
      "c/main.ts": `import { even } from "./even.ts"; said.value = even(10);`,
      "c/even.ts": `import { odd } from "./odd.ts"; export function even(n: number): boolean { return n === 0 || odd(n - 1); }`,
      "c/odd.ts": `import { even } from "./even.ts"; export function odd(n: number): boolean { return n !== 0 && even(n - 1); }`,
    });
    assert.equal(run("c/main.ts"), true);
  });

  test("takes a package's file for browsers, not the one for Node", () => {
    write({
      "d/package.json": `{"imports": {"#own": {"node": "./node.ts", "default": "./browser.ts"}}}`,
      "d/main.ts": `import { own } from "#own"; import { it } from "thing"; import { part } from "thing/part.js"; said.value = [own, it, part].join();`,
      "d/browser.ts": `export const own = "browser";`,
      "d/node.ts": `export const own = "node";`,
      "node_modules/thing/package.json": `{"type": "module", "exports": {".": {"node": "./node.js", "import": "./it.js"}, "./part.js": "./part.js"}}`,
      "node_modules/thing/it.js": `export const it = "it";`,
      "node_modules/thing/node.js": `export const it = "node";`,
      "node_modules/thing/part.js": `export const part = "part";`,
    });
    assert.equal(run("d/main.ts"), "browser,it,part");
  });

  test("keeps licence banners and drops other comments", () => {
    write({ "e/main.ts": `/*! licence of this */\n// a remark\nsaid.value = 1;` });
    const { text } = bundle(root, join(root, "e/main.ts"));
    assert.match(text, /licence of this/);
    assert.doesNotMatch(text, /a remark/);
  });

  test("is not made where an import leads nowhere, and says which", () => {
    write({ "f/main.ts": `import { x } from "node:fs"; said.value = x;` });
    assert.throws(
      () => bundle(root, join(root, "f/main.ts")),
      (error) =>
        error instanceof BuildError &&
        error.code === "module-not-found" &&
        /main\.ts imports node:fs/.test(error.message),
    );
  });

  test("is not made of what does not parse", () => {
    write({ "g/main.ts": `const = 1;` });
    assert.throws(() => bundle(root, join(root, "g/main.ts")), { code: "not-compiled" });
  });
});
