import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf, utf8 } from "@tally/evidence";
import { refuseWrites } from "../../oci/src/testing/refused-writes.ts";
import { smallDisk } from "../../oci/src/testing/small-disk.ts";
import { type Answer, call, errorOf } from "./testing/plane-client.ts";
import { PlaneProcess } from "./testing/plane-process.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { TestPlane } from "./testing/test-plane.ts";

/** What writes to plane.db and nothing else that matters here. */
function steps(url: string, token: string) {
  const bytes = (n: number) => utf8(`content ${n}`);
  return {
    "a registry push": (n: number) =>
      call(url, "POST", `/v2/m/blobs/uploads/?digest=${digestOf(bytes(n))}`, {
        token,
        body: bytes(n),
        type: "application/octet-stream",
      }),
    "an upload begun": () => call(url, "POST", "/v2/m/blobs/uploads/", { token }),
    "a token made": () => call(url, "POST", "/api/v1/tokens", { token, body: { role: "auditor" } }),
    "an enrolment token made": () => call(url, "POST", "/api/v1/enrolment-tokens", { token, body: {} }),
    "a quota set": (n: number) =>
      call(url, "PUT", "/api/v1/registry/quotas", {
        token,
        body: { repository: `q${n}`, bytes: 1000, manifests: null },
      }),
  };
}

test("a quota used up under plane.db is 507 as a full disk is, nothing is lost, and it goes on without a restart", async (t) => {
  const dir = join(await temporaryFolder(t), "plane");
  const { url, adminToken: token, pid } = await PlaneProcess.start(t, dir);
  const all = steps(url, token);
  for (const [name, step] of Object.entries(all)) assert.ok((await step(1)).status < 300, name);
  const db = join(dir, "plane.db");
  const giveBack = await refuseWrites(t, pid, "EDQUOT", [db, `${db}-wal`, `${db}-shm`, `${db}-room`]);
  if (giveBack === undefined) return;
  for (const [name, step] of Object.entries(all)) {
    const answer = await step(2);
    assert.equal(answer.status, 507, `${name}: ${answer.text}`);
    if (!name.includes("push") && !name.includes("upload")) assert.equal(errorOf(answer)?.code, "storage-full");
  }
  assert.equal((await call(url, "GET", `/v2/m/blobs/${digestOf(utf8("content 1"))}`, { token })).status, 200);
  await giveBack();
  assert.equal((await call(url, "GET", `/v2/m/blobs/${digestOf(utf8("content 2"))}`, { token })).status, 404);
  for (const [name, step] of Object.entries(all)) assert.ok((await step(3)).status < 300, name);
  const quotas = await call(url, "GET", "/api/v1/registry/quotas", { token });
  const { quotas: set } = JSON.parse(quotas.text) as { quotas: { repository: string }[] };
  assert.deepEqual(set.map(({ repository }) => repository).sort(), ["q1", "q3"]);
  assert.deepEqual(
    (await readdir(dir)).filter((name) => name.includes("room")),
    [],
  );
});

test("a disk under plane.db that fails for another reason is a failure of the plane, and not 507", async (t) => {
  const dir = join(await temporaryFolder(t), "plane");
  const { url, adminToken: token, pid } = await PlaneProcess.start(t, dir);
  const db = join(dir, "plane.db");
  const mend = await refuseWrites(t, pid, "EIO", [db, `${db}-wal`]);
  if (mend === undefined) return;
  const all = steps(url, token);
  assert.equal((await all["a token made"]()).status, 500);
  assert.equal((await all["a registry push"](1)).status, 500);
  await mend();
  assert.equal((await all["a token made"]()).status, 201);
});

test("a full disk under plane.db is 507, nothing is lost, and it goes on without a restart", async (t) => {
  const disk = await smallDisk(t, "size=48m");
  if (disk === undefined) return;
  const plane = await TestPlane.start(t, { dir: join(disk.dir, "plane") });
  const all = steps(plane.url, plane.adminToken);
  await disk.leave(0);
  // The database's log has room within its file for some: it is written until that is used up.
  const taken: string[] = [];
  let full: Answer | undefined;
  for (let n = 0; full === undefined && n < 5_000; n += 1) {
    const answer = await all["a quota set"](n);
    if (answer.status === 200) taken.push(`q${n}`);
    else full = answer;
  }
  assert.equal(full?.status, 507);
  for (const [name, step] of Object.entries(all)) assert.equal((await step(9_000)).status, 507, name);
  await disk.makeRoom();
  const quotas = await call(plane.url, "GET", "/api/v1/registry/quotas", { token: plane.adminToken });
  const { quotas: set } = JSON.parse(quotas.text) as { quotas: { repository: string }[] };
  assert.deepEqual(set.map(({ repository }) => repository).sort(), taken.sort());
  for (const [name, step] of Object.entries(all)) assert.ok((await step(9_001)).status < 300, name);
});
