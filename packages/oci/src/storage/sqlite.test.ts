import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Database, migrate } from "./database.ts";
import { openSqlite } from "./sqlite.ts";

async function counters(t: TestContext): Promise<Database> {
  const db = await openSqlite(":memory:");
  t.after(() => db.close());
  await db.run("CREATE TABLE counter (name TEXT PRIMARY KEY, n INTEGER NOT NULL, raw BLOB)");
  return db;
}

test("rows come back as plain objects, bytes as bytes", async (t) => {
  const db = await counters(t);
  const inserted = await db.run("INSERT INTO counter VALUES (?, ?, ?)", ["a", 7, new Uint8Array([1, 2])]);
  assert.deepEqual(inserted, { changes: 1 });
  assert.deepEqual(await db.query("SELECT * FROM counter"), [{ name: "a", n: 7, raw: new Uint8Array([1, 2]) }]);
});

test("a transaction that throws leaves nothing, and the next statement works", async (t) => {
  const db = await counters(t);
  const failing = db.transaction(async (tx) => {
    await tx.run("INSERT INTO counter VALUES ('a', 1, NULL)");
    throw new Error("changed my mind");
  });
  await assert.rejects(failing, /changed my mind/);
  assert.deepEqual(await db.query("SELECT * FROM counter"), []);
});

test("transactions that wait in the middle do not see each other", async (t) => {
  const db = await counters(t);
  await db.run("INSERT INTO counter VALUES ('a', 0, NULL)");
  const increment = () =>
    db.transaction(async (tx) => {
      const [row] = await tx.query<{ n: number }>("SELECT n FROM counter WHERE name = 'a'");
      await new Promise(setImmediate);
      await tx.run("UPDATE counter SET n = ? WHERE name = 'a'", [row!.n + 1]);
    });
  await Promise.all(Array.from({ length: 20 }, increment));
  assert.deepEqual(await db.query("SELECT n FROM counter"), [{ n: 20 }]);
});

test("an inner transaction that fails takes only its own changes along", async (t) => {
  const db = await counters(t);
  await db.transaction(async (tx) => {
    await tx.run("INSERT INTO counter VALUES ('outer', 1, NULL)");
    const inner = tx.transaction(async (deeper) => {
      await deeper.run("INSERT INTO counter VALUES ('inner', 1, NULL)");
      throw new Error("no");
    });
    await assert.rejects(inner, /no/);
  });
  assert.deepEqual(await db.query("SELECT name FROM counter"), [{ name: "outer" }]);
});

test("using the outer handle inside a transaction is refused instead of waiting for itself", async (t) => {
  const db = await counters(t);
  await assert.rejects(
    db.transaction(() => db.run("DELETE FROM counter")),
    { code: "busy" },
  );
});

test("a handle kept beyond its transaction is dead", async (t) => {
  const db = await counters(t);
  let kept: Database | undefined;
  await db.transaction(async (tx) => {
    kept = tx;
  });
  await assert.rejects(kept!.run("DELETE FROM counter"), { code: "storage-failed" });
});

test("migrations run once each, in order, and survive reopening", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "tally-db-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, "deep", "plane.db");
  const first = ["CREATE TABLE a (x INTEGER)", "INSERT INTO a VALUES (1)"];

  const before = await openSqlite(path);
  await migrate(before, "test", [first]);
  await migrate(before, "test", [first]);
  await before.close();

  const after = await openSqlite(path);
  await migrate(after, "test", [first, "INSERT INTO a VALUES (2)"]);
  assert.deepEqual(await after.query("SELECT x FROM a ORDER BY x"), [{ x: 1 }, { x: 2 }]);
  await after.close();
  await assert.rejects(after.query("SELECT 1"), { code: "storage-failed" });
});
