import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  captureLevels,
  entryKindCodes,
  eventCodes,
  evidenceGrades,
  gapReasons,
  loadReasons,
  unloadReasons,
} from "./index.ts";

const cddl = readFileSync(new URL("../../../../docs/entries.cddl", import.meta.url), "utf8");

/** The names and codes of `rule = &(name: code, …)`. */
function enumeration(rule: string): Record<string, number> {
  const body = new RegExp(`^${rule} = &\\(([^)]*)\\)`, "m").exec(cddl)?.[1] ?? "";
  return Object.fromEntries([...body.matchAll(/([a-z-]+): (\d+)/g)].map(([, name, code]) => [name, Number(code)]));
}

test("the kinds of the CDDL definition have the codes that are written", () => {
  const kinds = [...cddl.matchAll(/^([a-z]+) = \{\s*head<(\d+)>/gm)].map(([, name, code]) => [name, Number(code)]);
  assert.deepEqual(Object.fromEntries(kinds), entryKindCodes);
});

test("the enumerations of the CDDL definition are those of the code", () => {
  assert.deepEqual(enumeration("grade"), Object.fromEntries(evidenceGrades.map((grade, code) => [grade, code])));
  assert.deepEqual(enumeration("load-reason"), loadReasons);
  assert.deepEqual(enumeration("unload-reason"), unloadReasons);
  assert.deepEqual(enumeration("gap-reason"), gapReasons);
  assert.deepEqual(enumeration("event-code"), eventCodes);
  assert.deepEqual(enumeration("capture-level"), captureLevels);
});
