import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  asLeafHash,
  encodeEntry,
  generatePrivateKeyPem,
  headsRoot,
  type KeySet,
  noteSignerFromPem,
  randomBytes,
  toHex,
} from "@tally/evidence";
import type { Database } from "@tally/oci";
import { rootOfHeads } from "../log/head-encodings.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { TestDevice } from "../testing/test-device.ts";
import { planeName, TestPlane } from "../testing/test-plane.ts";
import { Fleet } from "./fleet.ts";

const many = 3_000;
const { key } = noteSignerFromPem("x", 1, generatePrivateKeyPem("ed25519"));
const keySet: KeySet = [{ type: key.type, publicKey: key.publicKey }];

/** A plane whose fleet log has many enrolments that no table knows of yet. */
async function largeFleet(t: TestContext): Promise<TestPlane> {
  const plane = await TestPlane.start(t);
  let last: Promise<void> | undefined;
  for (let i = 0; i < many; i += 1) {
    const deviceId = toHex(randomBytes(16));
    const origin = `${planeName}/d/${deviceId}/0`;
    const genesisHash = asLeafHash(randomBytes(32));
    const entry = { kind: "enrol", time: 0, deviceId, epoch: 0, origin, genesisHash, keySet } as const;
    last = plane.plane.parts.logs.fleet.append(encodeEntry(entry)).committed;
  }
  await last;
  return plane;
}

/** A database that counts what it makes durable. */
function counting(db: Database): { db: Database; commits: () => number } {
  let commits = 0;
  const counted: Database = {
    query: (sql, params) => db.query(sql, params),
    run: (sql, params) => {
      commits += 1;
      return db.run(sql, params);
    },
    transaction: (step, options) => {
      commits += 1;
      return db.transaction(step, options);
    },
    close: () => db.close(),
  };
  return { db: counted, commits: () => commits };
}

test("a large fleet is taken from its log in few transactions, each device once, and again without harm", async (t) => {
  const plane = await largeFleet(t);
  const { parts } = plane.plane;
  const { db, commits } = counting(parts.db);
  const take = async () => {
    const { name, blobs, logs, tokens, clock } = parts;
    const fleet = new Fleet({ plane: name, db, blobs, logs, tokens, clock });
    await Promise.all([fleet.catchUp(), fleet.catchUp(2_000), fleet.catchUp()]);
  };
  await take();
  assert.ok(commits() <= 12, `${commits()} transactions`);
  const rows = () =>
    parts.db.query<{ n: number; last: number }>("SELECT COUNT(*) AS n, MAX(fleet_index) AS last FROM device");
  assert.deepEqual(await rows(), [{ n: many, last: many }]);
  await take();
  assert.deepEqual(await rows(), [{ n: many, last: many }]);
});

test("of a large fleet a round makes anew only the leaves that moved, and their root is the root of all", async (t) => {
  const plane = await largeFleet(t);
  const { fleet, mirror, logs } = plane.plane.parts;
  const first = await fleet.heads(mirror, logs.fleet.size);
  assert.equal(first.length, many);
  const second = await fleet.heads(mirror, logs.fleet.size);
  assert.ok(second.every((leaf, i) => leaf === first[i]));
  const device = await TestDevice.enrolled(plane, join(await temporaryFolder(t), "device"));
  t.after(() => device.close());
  await device.sync(plane);
  const third = await fleet.heads(mirror, logs.fleet.size);
  const before = new Set(first);
  assert.deepEqual(
    third.filter((leaf) => !before.has(leaf)).map(({ origin }) => origin),
    [device.origin],
  );
  await device.infer();
  await device.sync(plane);
  const fourth = await fleet.heads(mirror, logs.fleet.size);
  const own = fourth.findIndex(({ origin }) => origin === device.origin);
  assert.ok(fourth.every((leaf, i) => (leaf === third[i]) === (i !== own)));
  assert.deepEqual(rootOfHeads(fourth), headsRoot(fourth));
  // Before the last enrolment the fleet was the smaller one.
  assert.equal((await fleet.heads(mirror, many + 1)).length, many);
});
