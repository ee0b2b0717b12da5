import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bytesSource, digestOf, EvidenceError, type Progress, parseTrust, utf8, verifyBundle } from "@tally/evidence";
import { answerFile, trustFile } from "../testdata.ts";
import { verifyFiles } from "./verify-files.ts";

const files = { bundle: bytesSource(answerFile), trust: trustFile, now: Date.UTC(2030, 0) };

describe("verifying two files", () => {
  test("says what the library says, record for record", async () => {
    const report = await verifyBundle({ bundle: answerFile, trust: parseTrust(trustFile), now: files.now });
    const { summary, records } = await verifyFiles(files);
    assert.equal(summary.outcome, "good");
    assert.deepEqual(summary.checks, report.checks);
    assert.deepEqual(await Array.fromAsync(records.read(0)), report.answer?.records);
    assert.equal(summary.answer?.records, records.count);
  });

  test("names the files by size and digest, and whom the trust file believes", async () => {
    const { bundle, trust } = (await verifyFiles(files)).summary;
    assert.deepEqual(bundle, { size: answerFile.length, digest: digestOf(answerFile) });
    assert.equal(trust.digest, digestOf(trustFile));
    const { identities, plane } = parseTrust(trustFile);
    assert.equal(trust.plane, plane.name);
    assert.deepEqual(
      trust.identities.map(({ name }) => name),
      identities.map(({ name }) => name),
    );
    assert.ok(trust.quorum.some((line) => line.startsWith("quorum ")));
  });

  test("tells how far it is: only ever further, and to the end", async () => {
    const seen: Progress[] = [];
    await verifyFiles({ ...files, onProgress: (progress) => seen.push(progress) });
    assert.ok(
      seen.every((now, i) => {
        const before = seen[i - 1] ?? now;
        return now.read >= before.read && now.used >= before.used && now.checks >= before.checks;
      }),
    );
    const last = seen.at(-1)!;
    assert.deepEqual([last.used, last.read], [last.bytes, last.size]);
  });

  test("survives being sent to the page, whatever the report holds", async () => {
    const { summary } = await verifyFiles(files);
    assert.deepEqual(structuredClone(summary), summary);
  });

  test("refuses a trust file that cannot be read", async () => {
    await assert.rejects(
      verifyFiles({ ...files, trust: utf8("{}") }),
      (error) => error instanceof EvidenceError && error.code === "trust-invalid",
    );
  });
});
