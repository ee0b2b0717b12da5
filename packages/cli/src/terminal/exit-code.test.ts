import assert from "node:assert/strict";
import { test } from "node:test";
import { EdgeError } from "@tally/edge";
import { EvidenceError } from "@tally/evidence";
import { LedgerError } from "@tally/ledger";
import { OciError } from "@tally/oci";
import { CliError, exitCodes } from "./exit-code.ts";
import { exitCodeFor } from "./exit-code-for.ts";

test("errors of every room end with the code that is documented for what happened", () => {
  const cases: readonly (readonly [unknown, number])[] = [
    [new CliError(exitCodes.notProven, "not proven"), 6],
    [new EvidenceError("signature-invalid", "x"), 3],
    [new EvidenceError("trust-invalid", "x"), 2],
    [new LedgerError("damaged", "x"), 3],
    [new LedgerError("locked", "x"), 2],
    [new OciError("digest-mismatch", "x"), 3],
    [new OciError("unauthorized", "x"), 4],
    [new OciError("unreachable", "x"), 5],
    [new EdgeError("load-refused", "x"), 3],
    [new EdgeError("blocked", "x"), 4],
    [new EdgeError("unreachable", "x"), 5],
    [new EdgeError("not-enrolled", "x"), 2],
    [Object.assign(new Error("x"), { code: "ENOENT" }), 2],
    [Object.assign(new Error("x"), { code: "ECONNREFUSED" }), 5],
    [Object.assign(new Error("x"), { code: "ENOSPC" }), 2],
    [new OciError("storage-full", "x"), 2],
    [new OciError("storage-failed", "x", { cause: Object.assign(new Error("x"), { code: "EACCES" }) }), 2],
  ];
  for (const [error, expected] of cases)
    assert.equal(exitCodeFor(error), expected, String((error as { code?: string }).code));
});

test("what nobody foresaw is unexpected", () => {
  for (const error of [new TypeError("x"), "text", null, undefined, { code: "made-up" }])
    assert.equal(exitCodeFor(error), 1);
});
