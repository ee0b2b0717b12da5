import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { buildPage } from "./page.ts";

const page = buildPage();
const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
const between = (start: string, end: string) => page.split(start)[1]!.split(end)[0]!;

describe("the built page", () => {
  test("is the same bytes from the same sources", () => {
    assert.equal(buildPage(), page);
  });

  test("allows its own script, style and worker, and nothing else", () => {
    const policy = between('http-equiv="Content-Security-Policy" content="', '"');
    assert.deepEqual(policy.split("; "), [
      "default-src 'none'",
      `script-src ${hash(between("<script>", "</script>"))}`,
      `style-src ${hash(between("<style>", "</style>"))}`,
      "worker-src blob:",
      "img-src data:",
      "base-uri 'none'",
      "form-action 'none'",
    ]);
  });

  test("states its policy before anything that the policy is about", () => {
    assert.ok(page.indexOf("Content-Security-Policy") < page.indexOf("<link"));
    assert.ok(page.indexOf("Content-Security-Policy") < page.indexOf("<style"));
  });

  test("refers to nothing outside itself", () => {
    const markup = page.replace(/<(script|style)[^>]*>[\s\S]*?<\/\1>/g, "").replace(/<!--[\s\S]*?-->/g, "");
    const references = [...markup.matchAll(/\s(?:src|href|action|srcset|data|poster)="([^"]*)"/g)].map(([, to]) => to);
    assert.deepEqual(references, ["data:,"]);
    assert.doesNotMatch(between("<style>", "</style>"), /url\(|@import/);
  });

  test("verifies with evidence's own sources and its cryptography for browsers", () => {
    const worker = between('id="worker">', "</script>");
    assert.match(worker, /"packages\/evidence\/src\/verify\/verify-bundle\.ts"/);
    assert.match(worker, /"packages\/evidence\/src\/crypto\/browser\.ts"/);
    assert.doesNotMatch(worker, /crypto\/node\.ts|node:/);
  });

  test("carries the licences of the packages whose code it carries", () => {
    for (const name of ["@noble/curves", "@noble/hashes", "@noble/post-quantum", "canonicalize", "cborg"]) {
      assert.ok(page.includes(`\n${name}\n\n`), name);
    }
  });
});
