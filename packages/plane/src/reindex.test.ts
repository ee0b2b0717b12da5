import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  digestOf,
  envelopeMediaType,
  generatePrivateKeyPem,
  ingestionStatement,
  parseTrust,
  publicKeyOfPem,
  publicKeyPem,
  signStatement,
  statementSignerFromPem,
  utf8,
  verifyBundle,
} from "@tally/evidence";
import { openSqlite } from "@tally/oci";
import { reindexPlane } from "./reindex.ts";
import { derivedTables } from "./store/derived-tables.ts";
import { temporaryFolder } from "./testing/temporary-folder.ts";
import { TestDevice } from "./testing/test-device.ts";
import { TestPlane } from "./testing/test-plane.ts";

const program = new URL("./testing/run-reindex.ts", import.meta.url).pathname;

/** A plane whose index has rows of every kind, stopped. */
async function stopped(t: TestContext) {
  const plane = await TestPlane.start(t);
  const folder = await temporaryFolder(t);
  const devices: TestDevice[] = [];
  for (const name of ["one", "two", "three"]) devices.push(await TestDevice.enrolled(plane, join(folder, name)));
  for (const [n, device] of devices.entries()) {
    for (let i = 0; i < 300; i += 1) device.queueInference();
    await device.load(digestOf(utf8("another")), n === 0 ? "refused" : "accepted");
    for (let i = 0; i < 300; i += 1) device.queueInference();
    await device.append({ kind: "gap", time: 1, reason: 1, atMost: 3, from: 0, to: 3 });
    const artifact = digestOf(utf8("a segment"));
    await device.append({ kind: "segment", time: 1, from: 2, to: 9, artifact });
    assert.equal((await device.sync(plane)).status, "mirrored");
    await plane.seal();
    await device.infer();
    assert.equal((await device.sync(plane)).status, "mirrored");
    await plane.seal();
  }
  await state(plane);
  t.after(() => Promise.all(devices.map((device) => device.close())));
  await plane.stop();
  return { plane, before: await dump(plane) };
}

async function state(plane: TestPlane): Promise<void> {
  const pem = generatePrivateKeyPem("p-256");
  const key = publicKeyPem(publicKeyOfPem(pem).spki);
  const introduced = { name: "publisher", key, may: ["ingest"], repositories: ["*"] };
  assert.equal((await plane.call("POST", "/api/v1/identities", { body: introduced })).status, 201);
  const files = [{ name: "data.csv", digest: digestOf(utf8("data")), size: 4 }];
  const statement = ingestionStatement({ source: "https://archive.example/data", license: "CC-BY-4.0", files });
  const { bytes } = await signStatement(statement, statementSignerFromPem(pem));
  const token = await plane.token("publisher");
  const answer = await plane.call("POST", "/api/v1/statements", { token, body: bytes, type: envelopeMediaType });
  assert.equal(answer.status, 201, answer.text);
}

/** Every row of every derived table, and how the tables are made. */
async function dump({ dir }: TestPlane): Promise<Record<string, unknown>> {
  const db = await openSqlite(join(dir, "plane.db"));
  const all: Record<string, unknown> = {};
  for (const table of derivedTables) {
    const [{ n } = { n: 0 }] = await db.query<{ n: number }>("SELECT COUNT(*) AS n FROM pragma_table_info(?)", [table]);
    const order = Array.from({ length: n }, (_, i) => i + 1).join(", ");
    all[table] = await db.query(`SELECT * FROM ${table} ORDER BY ${order}`);
    all[`${table}: schema`] = await db.query(
      "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = ? ORDER BY name",
      [table],
    );
  }
  await db.close();
  return all;
}

async function change({ dir }: TestPlane, ...statements: string[]): Promise<void> {
  const db = await openSqlite(join(dir, "plane.db"));
  for (const sql of statements) await db.run(sql);
  await db.close();
}

async function restart(plane: TestPlane): Promise<void> {
  await plane.start();
  await plane.stop();
}

test("an index made again from the logs is the same, row by row", async (t) => {
  const { plane, before } = await stopped(t);
  for (const table of ["run", "package", "load", "anchor", "stating", "gap", "segment", "statement", "head_step"]) {
    assert.ok((before[table] as unknown[]).length > 0, `${table} has rows to compare`);
  }
  const told: string[] = [];
  const report = await reindexPlane({ dir: plane.dir, onLedger: (origin) => told.push(origin) });
  assert.deepEqual([report.ledgers, report.statements, told.length], [3, 1, 3]);
  assert.deepEqual(await dump(plane), before);
  await change(plane, ...derivedTables.map((table) => `DELETE FROM ${table}`));
  await reindexPlane({ dir: plane.dir });
  assert.deepEqual(await dump(plane), before);
});

test("an index whose tables are gone is made again by reindexing, and by the next start alone", async (t) => {
  const { plane, before } = await stopped(t);
  const drop = derivedTables.map((table) => `DROP TABLE ${table}`);
  await change(plane, ...drop);
  await reindexPlane({ dir: plane.dir });
  assert.deepEqual(await dump(plane), before);
  for (const statement of [drop[5]!, ...drop.slice(0, 2)]) {
    await change(plane, statement);
    await restart(plane);
    assert.deepEqual(await dump(plane), before);
  }
});

test("reindexing that is killed half-way is completed by the next run, and by the next start", async (t) => {
  const { plane, before } = await stopped(t);
  for (const complete of [() => reindexPlane({ dir: plane.dir }), () => restart(plane)]) {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, plane.dir]);
    const [, signal] = await once(child, "exit");
    assert.equal(signal, "SIGKILL");
    const half = await dump(plane);
    assert.ok((half.run as unknown[]).length < 3);
    await complete();
    assert.deepEqual(await dump(plane), before);
  }
});

test("an index that is ahead of a ledger is read again from that ledger, and answers with what it holds", async (t) => {
  const { plane, before } = await stopped(t);
  await change(
    plane,
    "UPDATE run SET next = next + 7, state = replace(state, '\"next\":', '\"next\":1')",
    "INSERT INTO package SELECT origin, package + 90, load, records FROM package",
  );
  await plane.start();
  const answer = await plane.call("GET", `/api/v1/audit?from=1&to=${Date.now() + 60_000}`);
  const trust = parseTrust((await plane.call("GET", "/api/v1/trust")).text);
  const { checks } = await verifyBundle({ bundle: answer.bytes, trust });
  assert.deepEqual(
    checks.filter(({ result }) => result === "bad"),
    [],
  );
  await plane.stop();
  assert.deepEqual(await dump(plane), before);
});

test("a plane that runs keeps its index to itself, and a folder without a plane has none", async (t) => {
  const plane = await TestPlane.start(t);
  await assert.rejects(reindexPlane({ dir: plane.dir }), { code: "locked" });
  await assert.rejects(reindexPlane({ dir: await temporaryFolder(t) }), { code: "configuration" });
});
