import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Loop } from "../testing/loop.ts";

const entry = fileURLToPath(new URL("../../bin/tally.js", import.meta.url));
/** Kills its own process at the n-th of the calls by which files and folders come to be. */
const killer = fileURLToPath(new URL("../testing/kill-at-call.ts", import.meta.url));

test("an import that is killed anywhere leaves a plane that starts, and the next one takes everything in and tidies up", async (t) => {
  const loop = await Loop.start(t);
  await loop.do("keygen", "keys/operator");
  await loop.do("identity", "add", "operator", "--key", "keys/operator.pub.pem", "--may", "export");
  const trust = join(loop.folder, "trust.json");
  await writeFile(trust, await loop.do("trust", "show"));
  const manifest = await loop.publish();
  await loop.enrol();
  await loop.infer();
  const export_ = ["--segments", "--key", "keys/operator.pem", "--series", "site.series"];
  await loop.do("export", "tiny:v1", "-o", "carried.tar", ...export_);
  const site = await Loop.start(t, { name: "tally.test/site" }, loop);
  await site.stop();
  const temporary = join(site.folder, "tmp");
  await mkdir(temporary);

  /** @returns how it ended: by whose signal, or with which code */
  async function importKilledAt(call: number): Promise<{ out: string; signal: string | null; code: number | null }> {
    const argv = ["--disable-warning=ExperimentalWarning", "--import", killer, entry];
    const child = spawn(
      process.execPath,
      [...argv, "import", join(loop.folder, "carried.tar"), "--trust", trust, "--dir", "plane", "--json"],
      {
        cwd: site.folder,
        env: { PATH: process.env.PATH, TMPDIR: temporary, TALLY_TEST_KILL_AT: `${call}` },
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
    const out: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    return { out: Buffer.concat(out).toString("utf8"), signal, code };
  }

  let killed = 0;
  let last = { out: "", signal: null as string | null, code: null as number | null };
  // Later in each round, until one comes to its end.
  for (let call = 3; ; call = Math.ceil(call * 1.6)) {
    last = await importKilledAt(call);
    if (last.signal !== "SIGKILL") break;
    killed += 1;
  }
  assert.ok(killed >= 5, `killed ${killed} times`);
  assert.equal(last.code, 0, last.out);
  const said = JSON.parse(last.out);
  assert.equal(said.outcome, "good");
  assert.equal(said.taken[0].manifest, manifest);
  assert.equal(said.delivery.standing === "next" || said.delivery.standing === "again", true);
  assert.ok(said.taken[0].statements.every(({ result }: { result: string }) => result === "taken"));
  // What the killed ones had unpacked is gone.
  assert.deepEqual(await readdir(temporary), []);

  await site.startPlane();
  await site.do("model", "pull", `tiny@${manifest}`, "-o", "pulled");
  const here = await readFile(join(site.folder, "pulled", "model.onnx"));
  assert.deepEqual(here, await readFile(join(loop.folder, "model", "model.onnx")));
});
