import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { utf8 } from "@tally/evidence";
import { nodeFiles } from "../files/index.ts";
import { faultyFiles, OneFault } from "../testing/faulty-files.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { cosignerKeys } from "../testing/test-mirror.ts";
import { testSigners } from "../testing/test-signers.ts";
import { formatAddCheckpointBody } from "./add-checkpoint-body.ts";
import { Witness } from "./witness.ts";

const SIZES = [3, 10, 30] as const;

for (const code of ["EIO", "ENOSPC"] as const) {
  test(`a witness whose disk fails once with ${code}, at any operation, never forgets what it cosigned`, async (t) => {
    const folder = await temporaryFolder(t);
    const signers = testSigners();
    const origin = signers[0]!.key.name;
    const log = await TestDevice.open(join(folder, "log"), signers);
    const fork = await TestDevice.open(join(folder, "fork"), signers);
    t.after(() => Promise.all([log.close(), fork.close()]));
    const bodies: Uint8Array[] = [];
    for (const [i, size] of SIZES.entries()) {
      const { note } = await log.growTo(size);
      const old = SIZES[i - 1] ?? 0;
      bodies.push(utf8(formatAddCheckpointBody({ old, proof: await log.ledger.consistencyProof(old, size), note })));
    }
    const forged = await fork.growTo(SIZES[2], (index) => utf8(`another history ${index}`));
    const contradiction = utf8(formatAddCheckpointBody({ old: SIZES[2], proof: [], note: forged.note }));

    const keys = cosignerKeys("tally.test/witness").slice(0, 1);
    const open = (dir: string, files = nodeFiles) =>
      Witness.open({ dir, files, signers: keys, logs: signers.map(({ key }) => key) });
    let failures = 0;
    for (let at = 0; ; at += 1) {
      const dir = join(folder, `witness-${at}`);
      const fault = new OneFault(at, code, false);
      let witness = await open(dir, faultyFiles(fault.plan));
      fault.arm();
      let cosigned = 0;
      let kept = 0;
      for (const [i, body] of bodies.entries()) {
        const answer = await witness.addCheckpoint(body).catch(() => undefined);
        if (answer?.status === 200) cosigned = SIZES[i]!;
        // The failed request is made again, as a log does.
        else if ((await witness.addCheckpoint(body)).status === 200) cosigned = SIZES[i]!;
      }
      const refused = await witness.addCheckpoint(contradiction).catch(() => undefined);
      if (refused?.status === 422) kept = 1;
      fault.disarm();
      await witness.close();
      witness = await open(dir);
      const where = `${code} at ${at}, ${fault.fired}`;
      assert.equal(cosigned, SIZES[2], where);
      assert.ok((witness.head(origin)?.checkpoint.size ?? 0) >= cosigned, where);
      assert.ok((await witness.conflicts(origin)).length >= kept, where);
      assert.equal((await witness.addCheckpoint(contradiction)).status, 422, where);
      await witness.close();
      if (fault.fired === undefined) break;
      failures += 1;
    }
    assert.ok(failures > 15, String(failures));
  });
}
