import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

test("where koffi has no build for the machine, a key in a token is refused in words, and all else works", () => {
  const hooks = `import { registerHooks } from "node:module";
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier === "koffi") throw Object.assign(new Error("Cannot find package koffi"), { code: "ERR_MODULE_NOT_FOUND" });
        return next(specifier, context);
      },
    });`;
  const hidden = ["--import", `data:text/javascript,${encodeURIComponent(hooks)}`];
  const tally = fileURLToPath(new URL("../../../bin/tally.js", import.meta.url));
  const file = fileURLToPath(import.meta.url);
  const key = `pkcs11:token=release?module-path=${file}`;
  const command = ["model", "sign", ".", "--key", key];
  const { status, stderr } = spawnSync(process.execPath, [...hidden, tally, ...command], { encoding: "utf8" });
  assert.equal(status, 2, stderr);
  assert.match(stderr, /^error: the npm package koffi, which calls PKCS #11 libraries, is not installed/m);
  assert.match(stderr, /^hint: npm install koffi; where it has no build for your platform, use a key in a file$/m);
  assert.equal(spawnSync(process.execPath, [...hidden, tally, "--version"]).status, 0);
});
