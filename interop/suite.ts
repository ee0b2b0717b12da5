// Runs one suite in a process of its own and leaves nothing of it running.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { endGroup } from "./command.ts";

/**
 * Runs one test file on Node's test runner, its output on ours.
 * @param milliseconds after which it is ended; 0 or less if there is no time left for it at all
 * @returns one line: "passed", "passed, 2 of 5 skipped", "FAILED …", "skipped: build time"
 */
export async function runSuite(file: string, milliseconds: number): Promise<string> {
  if (milliseconds <= 0) return "skipped: build time";
  const mark = randomUUID();
  const args = [
    "--disable-warning=ExperimentalWarning",
    "--test",
    "--test-reporter=spec",
    `--test-timeout=300000`,
    file,
  ];
  // A group of its own, to be ended as one; what leaves the group still has the mark in its environment.
  const env: NodeJS.ProcessEnv = { ...process.env, TALLY_INTEROP_SUITE: mark };
  delete env.NODE_TEST_CONTEXT;
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], detached: true, env });
  const end = () => {
    endGroup(child.pid);
    endMarked(mark);
  };
  process.once("exit", end);
  let late = false;
  const limit = setTimeout(() => {
    late = true;
    end();
  }, milliseconds);
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4096);
    process.stdout.write(text);
  });
  // "exit" and not "close": a process that was left over may hold the output open.
  const code = await new Promise<number | null>((resolve) => child.on("exit", resolve));
  clearTimeout(limit);
  process.off("exit", end);
  end();
  child.stdout.destroy();
  if (late) return `FAILED: not done in ${Math.round(milliseconds / 1000)} s, and ended`;
  const count = (what: string) => Number(new RegExp(`^ℹ ${what} (\\d+)$`, "m").exec(said)?.[1] ?? 0);
  if (code !== 0) return `FAILED: ${count("fail") + count("cancelled")} of ${count("tests")}`;
  if (count("skipped") === 0) return "passed";
  return count("skipped") === count("tests") ? "skipped" : `passed, ${count("skipped")} of ${count("tests")} skipped`;
}

/** Ends every process with the mark in its environment, where the system shows that (Linux). */
function endMarked(mark: string): void {
  let pids: string[] = [];
  try {
    pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return;
  }
  for (const pid of pids) {
    try {
      if (readFileSync(`/proc/${pid}/environ`, "utf8").includes(`TALLY_INTEROP_SUITE=${mark}`))
        process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has ended meanwhile, or is somebody else's.
    }
  }
}
