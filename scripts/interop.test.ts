import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { install } from "../interop/install.ts";
import { program, programs } from "../interop/programs.ts";
import { runSuite } from "../interop/suite.ts";

/** A folder, and a suite in it that first leaves a process behind which has a group of its own, and notes its id in `pid`. */
async function suite(t: TestContext, then: string): Promise<{ file: string; dir: string }> {
  const dir = await mkdtemp(join(tmpdir(), "tally-suite-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const file = join(dir, "leaves.test.mjs");
  await writeFile(
    file,
    `import { spawn } from "node:child_process";
     import { writeFileSync } from "node:fs";
     import { test } from "node:test";
     const stays = "setInterval(() => {}, 1000)";
     const child = spawn(process.execPath, ["-e", stays], { detached: true, stdio: "ignore" });
     child.unref();
     writeFileSync(${JSON.stringify(join(dir, "pid"))}, String(child.pid));
     ${then}`,
  );
  return { file, dir };
}

/** Whether the process ends, which a moment after the signal it may not have yet. */
async function isGone(dir: string): Promise<boolean> {
  const pid = await readFile(join(dir, "pid"), "utf8");
  for (let looks = 0; looks < 250; looks += 1) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    if (stat === "" || / [ZX] /.test(stat)) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

const linux = process.platform === "linux" ? false : "processes are found by their mark on Linux alone";

test("a suite that passes and leaves a process behind has passed, and the process is ended", {
  skip: linux,
}, async (t) => {
  const { file, dir } = await suite(t, `test("passes", () => {}); test("is left out", { skip: true }, () => {});`);
  assert.equal(await runSuite(file, 60_000), "passed, 1 of 2 skipped");
  assert.ok(await isGone(dir));
});

test("a suite that does not end is ended with all it started, and has failed", { skip: linux }, async (t) => {
  const { file, dir } = await suite(t, `test("hangs", () => new Promise(() => setInterval(() => {}, 1000)));`);
  assert.match(await runSuite(file, 5_000), /^FAILED: not done in 5 s/);
  assert.ok(await isGone(dir));
});

test("what there is no time for says so: a suite, and a program whose tests then skip with it", async (t) => {
  assert.equal(await runSuite("never-started", 0), "skipped: build time");
  const dir = await mkdtemp(join(tmpdir(), "tally-tools-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const before = process.env.TALLY_INTEROP_TOOLS;
  process.env.TALLY_INTEROP_TOOLS = dir;
  // `npm test` alone runs no program; this is about one that is not there.
  delete process.env.TALLY_WITHOUT_PROGRAMS;
  t.after(() => {
    if (before === undefined) delete process.env.TALLY_INTEROP_TOOLS;
    else process.env.TALLY_INTEROP_TOOLS = before;
  });
  const row = programs.find(({ name }) => name === "oras")!;
  assert.deepEqual(await install(row, 0), { state: "skipped", why: "build time" });
  const said: string[] = [];
  assert.equal(program({ skip: (why) => said.push(why) }, "oras"), undefined);
  assert.deepEqual(said, ["skipped: build time"]);
});
