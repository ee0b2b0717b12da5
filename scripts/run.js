#!/usr/bin/env node
// Runs a program of this project on the Node it brings along (the npm package `node`), after setting up what is missing.
//
//   node scripts/run.js examples/breast-cancer/demo.ts --devices 3
//   node scripts/run.js --tool typescript/bin/tsc -p tsconfig.json
//
// Plain JavaScript with nothing newer than Node 18 in it: this file runs on whatever Node the machine has.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const stamp = join(modules, ".tally-setup");

/** What an installation depends on: the lockfile and the platform. */
function wanted() {
  const lock = readFileSync(join(root, "package-lock.json"));
  return `${createHash("sha256").update(lock).digest("hex")} ${process.platform}-${process.arch}\n`;
}

function ownNode() {
  return join(modules, "node", "bin", process.platform === "win32" ? "node.exe" : "node");
}

function setUp() {
  const want = wanted();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === want && existsSync(ownNode())) return;
  process.stderr.write(
    "setting up: installing dependencies from the package registry (only when the lockfile changed)\n",
  );
  const npm = process.env.npm_execpath;
  const args = ["ci", "--no-fund", "--no-audit", "--loglevel=error"];
  const options = { cwd: root, stdio: ["ignore", 2, 2], env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" } };
  const done =
    npm && /\.c?js$/.test(npm)
      ? spawnSync(process.execPath, [npm, ...args], options)
      : spawnSync("npm", args, { ...options, shell: process.platform === "win32" });
  if (done.error || done.status !== 0) {
    process.stderr.write(`error: npm ci failed${done.error ? `: ${done.error.message}` : ""}\n`);
    process.stderr.write("hint: check that npm reaches its registry, then run the command again\n");
    process.exit(1);
  }
  if (!existsSync(ownNode())) {
    process.stderr.write("error: the npm package `node` did not install its binary\n");
    process.stderr.write(
      "hint: install scripts may be off (npm config get ignore-scripts); allow them for `node` and run again\n",
    );
    process.exit(1);
  }
  writeFileSync(stamp, want);
}

/** The process that started the shell with this id; undefined where it is no shell, or the system does not tell. */
function parentOfShell(pid) {
  const { stdout, status } = spawnSync("ps", ["-o", "ppid=,comm=", "-p", String(pid)], { encoding: "utf8" });
  const [, parent, name] = /^\s*(\d+)\s+(.*)$/m.exec(status === 0 ? stdout : "") || [];
  return name && /sh$/.test(name.trim()) ? Number(parent) : undefined;
}

function hasEnded(pid) {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === "ESRCH";
  }
}

setUp();
const argv = process.argv.slice(2);
const program = argv[0] === "--tool" ? join(modules, argv[1]) : resolve(root, argv[0]);
const rest = argv[0] === "--tool" ? argv.slice(2) : argv.slice(1);
// npm runs scripts in the project's folder; INIT_CWD is where the person stood.
const child = spawn(
  ownNode(),
  [
    "--disable-warning=ExperimentalWarning",
    "--import",
    new URL("with-parent.js", import.meta.url).href,
    program,
    ...rest,
  ],
  {
    // The channel closes when this process dies, even of SIGKILL: see with-parent.js.
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, TALLY_STARTED_BY: String(process.pid), TALLY_CWD: process.env.INIT_CWD || process.cwd() },
  },
);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
// npm passes a signal to its shell, which dies of it and tells nobody; and where npm is killed, its shell waits on.
if (process.env.npm_lifecycle_event) {
  const parent = process.ppid;
  const npm = parentOfShell(parent);
  const watch = setInterval(() => {
    if (process.ppid === parent && (npm === undefined || !hasEnded(npm))) return;
    // Once: a second signal would cut short what the first has begun.
    clearInterval(watch);
    child.kill("SIGTERM");
  }, 500).unref();
}
child.on("error", (error) => {
  process.stderr.write(`error: cannot start ${ownNode()}: ${error.message}\n`);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] || 1)));
