import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Loop } from "../testing/loop.ts";

const run = promisify(execFile);
const entry = fileURLToPath(new URL("../../bin/tally.js", import.meta.url));

/** Why there can be no namespace without a network here; undefined where there can. */
function noNamespace(): string | undefined {
  const { error, status, stderr } = spawnSync("unshare", ["-rn", "ip", "link", "set", "lo", "up"], {
    encoding: "utf8",
  });
  if (error !== undefined) return `unshare: ${error.message}`;
  return status === 0 ? undefined : `unshare -rn: ${stderr.trim()}`;
}

/** Runs a script in a network namespace in which there is nothing but a loopback interface that is down. */
async function withoutNetwork(cwd: string, script: string): Promise<string> {
  const node = `${JSON.stringify(process.execPath)} --disable-warning=ExperimentalWarning ${JSON.stringify(entry)} "$@"`;
  // In the background a function is a shell of its own, so that only what takes its place can be ended by its id.
  const tally = `tally() { ${node}; }\nin_background() { exec ${node}; }`;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TALLY_")));
  const { stdout } = await run("unshare", ["-rn", "sh", "-c", `set -e\n${tally}\n${script}`], {
    cwd,
    env: { ...env, NODE_OPTIONS: "" },
    timeout: 120_000,
  });
  return stdout;
}

test("a machine without a network interface verifies what was carried to it, takes it in and serves it", async (t) => {
  const why = noNamespace();
  if (why !== undefined) return t.skip(`no namespace without a network here: ${why}`);
  const loop = await Loop.start(t);
  const manifest = await loop.publish();
  await loop.enrol();
  await loop.infer();
  await loop.do("export", "tiny:v1", "-o", "carried.tar", "--segments");
  // The site's plane knows whom it takes statements from, and does not run.
  const site = await Loop.start(t, { name: "tally.test/site" }, loop);
  const token = site.token;
  await site.stop();
  const carried = join(loop.folder, "carried.tar");
  const trust = join(loop.folder, "trust.json");

  const interfaces = await withoutNetwork(
    site.folder,
    "tail -n +3 /proc/net/dev | cut -d: -f1; cat /proc/net/route | wc -l",
  );
  assert.deepEqual(interfaces.trim().split(/\s+/), ["lo", "0"]);
  const said = JSON.parse(
    await withoutNetwork(site.folder, `tally import ${carried} --trust ${trust} --dir plane --json`),
  );
  assert.equal(said.outcome, "good");
  assert.equal(said.taken[0].manifest, manifest);
  assert.deepEqual(
    said.taken[0].statements.filter(({ result }: { result: string }) => result !== "taken"),
    [],
  );

  const pulled = await withoutNetwork(
    site.folder,
    `ip link set lo up
     in_background serve --dir plane --port 7400 > served 2> /dev/null &
     trap "kill $!; wait" EXIT
     while ! [ -s served ]; do kill -0 $!; sleep 0.05; done
     export TALLY_URL=http://127.0.0.1:7400 TALLY_TOKEN=${token}
     tally model pull tiny:v1 -o pulled --trust trust.json
     tally device token > enrolment
     tally device enroll --dir device --enrolment-token $(cat enrolment) --trust trust.json
     tally device infer tiny:stable inputs.jsonl --dir device > outputs`,
  );
  assert.match(pulled, new RegExp(manifest));
});

test("an import into a plane that runs is told so", async (t) => {
  const loop = await Loop.start(t);
  await loop.publish();
  await loop.do("export", "tiny:v1", "-o", "carried");
  const said = await loop.try("import", "carried", "--dir", "plane");
  assert.equal(said.code, 2);
  assert.match(said.err, /in use by process/);
  const none = await loop.try("import", "carried", "--dir", "nowhere");
  assert.equal(none.code, 2);
  assert.match(none.err, /is no plane's folder/);
  assert.equal(none.out, "", "before anything is verified");
});
