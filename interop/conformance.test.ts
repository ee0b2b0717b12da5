// The OCI distribution specification's own suites against the registry of `tally serve`, logged in with a token, in all four
// categories: pull, push, content discovery, content management. https://github.com/opencontainers/distribution-spec/tree/main/conformance
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { program } from "./programs.ts";
import { served } from "./served.ts";
import { temporaryFolder } from "./server-process.ts";

/** What a suite printed on stdout and its exit code; it may write what it likes into `cwd`. */
function run(path: string, cwd: string, env: NodeJS.ProcessEnv): Promise<{ code: number; out: string }> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...process.env, ...env }, timeout: 240_000, maxBuffer: 1 << 28 };
    const child = execFile(path, options, (_error, out) => resolve({ code: child.exitCode ?? -1, out }));
  });
}

/** The figure behind a word of the summary: `  Pass..........................:        980`. */
function figure(out: string, word: string): number {
  return Number(new RegExp(`^  ${word}\\.+: +(\\d+)$`, "m").exec(out)?.[1]);
}

test("the current suite finds nothing that fails, with what it leaves out by default turned on", async (t) => {
  const suite = program(t, "oci-conformance");
  if (suite === undefined) return;
  const { host, adminToken } = await served(t);
  const { code, out } = await run(suite, await temporaryFolder(t), {
    OCI_VERSION: "dev",
    OCI_REGISTRY: host,
    OCI_TLS: "disabled",
    OCI_REPO1: "conformance/repo1",
    OCI_REPO2: "conformance/repo2",
    OCI_USERNAME: "anybody",
    OCI_PASSWORD: adminToken,
    OCI_API_BLOBS_UPLOAD_CANCEL: "true",
    OCI_API_MANIFESTS_TAG_PARAM: "true",
    OCI_LOG: "error",
  });
  t.diagnostic(`${figure(out, "Pass")} passed, ${figure(out, "Skip")} skipped, ${figure(out, "FAIL")} failed`);
  assert.deepEqual([figure(out, "FAIL"), figure(out, "Error"), figure(out, "Disabled"), code], [0, 0, 0, 0], out);
  // A suite that found nothing to do would not fail either.
  assert.ok(figure(out, "Pass") >= 900, out);
  // Which registries may leave out, and ours does: a blob mounted from whatever repository holds it.
  assert.match(out, /^ {2}Blob anonymous mount\.+: +Skip$/m);
  const unmet = out.match(/^ {2}\S.*\.\.: +(?:FAIL|Error|Skip)$/gm) ?? [];
  assert.deepEqual(unmet.length, 1, unmet.join("\n"));
});

test("the suite of version 1.1.1 passes in all four categories", async (t) => {
  const suite = program(t, "oci-conformance-1.1.1");
  if (suite === undefined) return;
  const { url, adminToken } = await served(t);
  const { code, out } = await run(suite, await temporaryFolder(t), {
    OCI_ROOT_URL: url,
    OCI_NAMESPACE: "conformance/a",
    OCI_CROSSMOUNT_NAMESPACE: "conformance/b",
    OCI_AUTOMATIC_CROSSMOUNT: "0",
    OCI_USERNAME: "anybody",
    OCI_PASSWORD: adminToken,
    OCI_TEST_PULL: "1",
    OCI_TEST_PUSH: "1",
    OCI_TEST_CONTENT_DISCOVERY: "1",
    OCI_TEST_CONTENT_MANAGEMENT: "1",
    OCI_REPORT_DIR: "none",
    NO_COLOR: "1",
  });
  const [, passed, failed, skipped] = /(\d+) Passed.*?(\d+) Failed.*?(\d+) Skipped/.exec(out) ?? [];
  t.diagnostic(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  assert.deepEqual([failed, code], ["0", 0], out);
  assert.ok(Number(passed) >= 70, out);
});
