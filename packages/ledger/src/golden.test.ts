import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { fromBase64, type KeySet, toBase64 } from "@tally/evidence";
import { checkLedger } from "./check/check-ledger.ts";
import { openForReading } from "./open-for-reading.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";

interface Expected {
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  readonly keySet: readonly { readonly type: KeySet[number]["type"]; readonly publicKey: string }[];
}

const golden = new URL("../../evidence/testdata/golden/", import.meta.url);

for (const version of readdirSync(golden).filter((name) => /^v\d/.test(name))) {
  test(`a ledger's folder of format ${version} is whole, and has the root that its device signed`, async (t) => {
    const expected = JSON.parse(readFileSync(new URL(`${version}/ledger.json`, golden), "utf8")) as Expected;
    const dir = join(await temporaryFolder(t), "ledger");
    cpSync(fileURLToPath(new URL(`${version}/ledger`, golden)), dir, { recursive: true });
    const keySet = expected.keySet.map(({ type, publicKey }) => ({ type, publicKey: fromBase64(publicKey) }));
    const { ok, origin, size, signedSize, signatures, problems } = await checkLedger(dir, { keySet });
    assert.deepEqual(
      { ok, origin, size, signedSize, signatures, problems },
      {
        ok: true,
        origin: expected.origin,
        size: expected.size,
        signedSize: expected.size,
        signatures: "good",
        problems: [],
      },
    );
    const { log } = await openForReading(dir);
    assert.equal(toBase64(await log.root()), expected.root);
    await log.close();
  });
}
