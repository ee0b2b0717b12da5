import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { digestOf } from "../digest.ts";
import { parseTrust } from "../trust/index.ts";
import { verifyBundle } from "./index.ts";

interface Expected {
  readonly digest: string;
  readonly outcome: string;
  readonly complete: string | null;
  readonly records: readonly (readonly [string, number, string])[];
  readonly standings: readonly (readonly [string, string])[];
  /** Required checks that are not good. */
  readonly bad: readonly string[];
}

const golden = new URL("../../testdata/golden/", import.meta.url);

for (const version of readdirSync(golden).filter((name) => /^v\d/.test(name))) {
  const folder = new URL(`${version}/`, golden);
  const read = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));
  const answers = JSON.parse(new TextDecoder().decode(read("answers.json"))) as Record<string, Expected>;

  describe(`evidence of format ${version} verifies as it did when it was written`, () => {
    const trust = parseTrust(read("trust.json"));
    for (const [name, expected] of Object.entries(answers)) {
      test(`the ${name} answer`, async () => {
        const bundle = read(`${name}.tally`);
        assert.equal(digestOf(bundle), expected.digest, "the file itself is another one");
        const report = await verifyBundle({ bundle, trust });
        assert.deepEqual(
          {
            digest: expected.digest,
            outcome: report.outcome,
            complete: report.answer?.complete ?? null,
            records: (report.answer?.records ?? []).map(({ origin, index, standing }) => [origin, index, standing]),
            standings: (report.answer?.ledgers ?? []).map(({ origin, standing }) => [origin, standing]),
            bad: report.checks.filter(({ result, required }) => result !== "good" && required).map(({ name }) => name),
          },
          expected,
        );
      });
    }
  });
}
