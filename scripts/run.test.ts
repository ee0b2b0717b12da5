import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { nodeFiles } from "@tally/ledger";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const runner = join(root, "scripts", "run.js");

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "tally-scripts-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A program that stays until it is told to end, and then says so. */
async function staying(t: TestContext): Promise<string> {
  const path = join(await folder(t), "stays.mjs");
  await writeFile(
    path,
    `const alive = setInterval(() => {}, 1000);
     process.on("SIGTERM", () => { clearInterval(alive); console.log("ended in good order"); });
     console.log("stays");`,
  );
  return path;
}

/** Starts a command that keeps its output open for as long as any process of it lives. */
async function started(t: TestContext, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child: ChildProcess = spawn(command, args, {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  t.after(() => child.kill("SIGKILL"));
  let said = "";
  const closed = once(child.stdout!, "close");
  const first = Promise.withResolvers<void>();
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    if (said.includes("\n")) first.resolve();
  });
  await Promise.race([first.promise, closed]);
  return { child, closed, said: () => said };
}

test("a program whose runner is killed outright ends in good order, and nothing of it stays", async (t) => {
  const { child, closed, said } = await started(t, process.execPath, [runner, await staying(t)]);
  child.kill("SIGKILL");
  await closed;
  assert.equal(said(), "stays\nended in good order\n");
});

test("a signal to the runner goes to the program, whose exit code is the runner's", async (t) => {
  const { child, closed, said } = await started(t, process.execPath, [runner, await staying(t)]);
  child.kill("SIGTERM");
  const [code] = (await once(child, "exit")) as [number];
  await closed;
  assert.equal(said(), "stays\nended in good order\n");
  assert.equal(code, 0);
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`${signal} to npm leaves no process behind`, async (t) => {
    const npm = process.env.npm_execpath;
    if (npm === undefined) return t.skip("npm did not start this test");
    const dir = join(await folder(t), "plane");
    const args = [
      "run",
      "--silent",
      "tally",
      "--",
      "serve",
      "--dir",
      dir,
      "--name",
      "tally.test/scripts",
      "--port",
      "0",
    ];
    const { child, closed, said } = await started(t, process.execPath, [npm, ...args]);
    assert.match(said(), /^http:/);
    child.kill(signal);
    await closed;
    const lock = await nodeFiles.lock(join(dir, "logs", "log"));
    await lock.release();
  });
}

test("a program that ends by itself is not kept by its runner", async (t) => {
  const path = join(await folder(t), "ends.mjs");
  await writeFile(path, `console.log("ends"); process.exitCode = 7;`);
  const { child } = await started(t, process.execPath, [runner, path]);
  const [code] = child.exitCode === null ? ((await once(child, "exit")) as [number]) : [child.exitCode];
  assert.equal(code, 7);
});

test("a program has its own children as if nobody had started it: they may let go of their channel", async (t) => {
  const dir = await folder(t);
  await writeFile(join(dir, "child.mjs"), `process.send("hello"); process.disconnect();`);
  await writeFile(
    join(dir, "forks.mjs"),
    `import { fork } from "node:child_process";
     const child = fork(${JSON.stringify(join(dir, "child.mjs"))});
     child.on("message", (said) => console.log(said, typeof process.send, "\\n"));
     child.on("exit", (code, signal) => { process.exitCode = signal === null ? code : 99; });`,
  );
  const { child, closed, said } = await started(t, process.execPath, [runner, join(dir, "forks.mjs")]);
  await closed;
  const [code] = child.exitCode === null ? ((await once(child, "exit")) as [number]) : [child.exitCode];
  assert.deepEqual([said().trim(), code], ["hello undefined", 0]);
});

test("two demos in one folder: the second one ends and says why, and takes nothing away", async (t) => {
  const out = await folder(t);
  await writeFile(join(out, "answer.tally"), "of the first");
  const lock = await nodeFiles.lock(out);
  t.after(() => lock.release());
  const demo = join(root, "examples", "breast-cancer", "demo.ts");
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", demo, "--out", out], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const [code] = (await once(child, "close")) as [number];
  assert.equal(code, 1);
  assert.match(said, /in use by process \d+\nhint: another demo runs there/);
  assert.equal(
    await nodeFiles.readWhole(join(out, "answer.tally")).then((bytes) => Buffer.from(bytes!).toString()),
    "of the first",
  );
});
