import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { enroll, openDevice } from "@tally/edge";
import { parseTrust, type TokenResponse, verifyBundle } from "@tally/evidence";
import { startPlane } from "@tally/plane";

const year = 365 * 86_400_000;

/** A plane of this process, and how to ask it as its administrator. */
async function runningPlane(t: TestContext, folder: string) {
  const plane = await startPlane({ dir: join(folder, "plane"), name: "tally.test/plane", sealIntervalMs: 20 });
  t.after(() => plane.close());
  const authorization = `Bearer ${(await readFile(plane.adminTokenPath, "utf8")).trim()}`;
  const ask = async (path: string, body?: string) => {
    const headers = { authorization, ...(body && { "content-type": "application/json" }) };
    const response = await fetch(plane.url + path, { headers, ...(body && { method: "POST", body }) });
    assert.ok(response.ok, `${path}: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  };
  return { plane, ask };
}

test("attack: a backdated clock, and one years ahead: brackets are those of honest time, and the device goes on", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "tally-clock-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { plane, ask } = await runningPlane(t, folder);
  const trustPath = join(folder, "trust.json");
  await writeFile(trustPath, await ask("/api/v1/trust"));
  const { token } = JSON.parse(new TextDecoder().decode(await ask("/api/v1/enrolment-tokens", "{}"))) as TokenResponse;
  const dir = join(folder, "device");
  await enroll({ dir, url: plane.url, token, trustPath });

  let jump = 0;
  const clock = { now: () => Date.now() + jump, monotonic: () => performance.now() };
  const device = await openDevice({ dir, clock });
  t.after(() => device.close());
  const model = await device.declare({ grade: "declared", runtime: "test", provider: "none" });
  const spans: { jump: number; index: number; from: number; to: number }[] = [];
  for (const set of [0, -20 * year, 15 * year, -3 * year]) {
    jump = set;
    await device.sync();
    const from = Date.now();
    const { index } = await device.record({ model, input: "in", output: "out" });
    const to = Date.now();
    await device.sync();
    spans.push({ jump, index, from, to });
  }
  const bundle = await ask(`/api/v1/audit?from=1&to=${Date.now() + 60_000}`);
  const report = await verifyBundle({ bundle, trust: parseTrust(await readFile(trustPath)) });
  assert.equal(report.outcome, "good", JSON.stringify(report.checks.filter(({ result }) => result === "bad")));
  const records = report.answer?.records ?? [];
  for (const { jump: set, index, from, to } of spans) {
    const record = records.find((one) => one.index === index);
    assert.ok(record !== undefined, `record ${index} is in the answer`);
    assert.ok(Math.abs(record.deviceTime - from - set) < 60_000, "what the device said is shown as it said it");
    const { notBefore, notAfter } = record.bracket;
    // Cosignatures state whole seconds.
    assert.ok(notBefore !== null && notBefore <= to && notBefore > from - 60_000, `${notBefore} of ${from}`);
    assert.ok(notAfter !== null && notAfter >= from - 1000 && notAfter < to + 60_000, `${notAfter} of ${to}`);
  }
});
