// A large model: packed, signed, verified, pushed and pulled by the commands, each in a process of its own. Its size is
// TALLY_BENCH_LARGE_BYTES, 256 MiB by default.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { hashFiles, listFiles } from "@tally/oci";
import { findProgram } from "../../interop/programs.ts";
import { alternate, median } from "../measure.ts";
import { part } from "../part.ts";
import { compared, figure, notMeasured, type Row } from "../row.ts";
import { Scene } from "../scene.ts";

const mebibyte = 1024 * 1024;
const size = Number(process.env.TALLY_BENCH_LARGE_BYTES ?? 256 * mebibyte);
const cores = availableParallelism();
const sized = `${Math.round(size / mebibyte)} MiB`;
const rounds = size > 1024 * mebibyte ? 1 : 3;

interface Run {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly maxRssBytes: number;
}

const entry = fileURLToPath(new URL("../../packages/cli/bin/tally.js", import.meta.url));
const telling = new URL("../command-process.ts", import.meta.url).href;

/** A command as people start it, from its start to its end. */
async function tally(cwd: string, ...args: string[]): Promise<Run> {
  const began = performance.now();
  const child = spawn(process.execPath, ["--import", telling, entry, ...args], {
    cwd,
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    env: bare(cwd),
  });
  let [said, told] = ["", ""];
  child.stderr!.on("data", (text) => {
    said += text;
  });
  child.stdio[3]!.on("data", (text) => {
    told += text;
  });
  const [code] = await once(child, "exit");
  const seconds = (performance.now() - began) / 1000;
  if (code !== 0) throw new Error(`tally ${args.join(" ")} ended with ${code}: ${said}`);
  if (told === "") await once(child.stdio[3]!, "data");
  return { seconds, ...JSON.parse(told) };
}

function bare(cwd: string): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: process.env.HOME, TALLY_CWD: cwd };
}

/** Seconds that another program took. */
async function timed(cwd: string, program: string, args: readonly string[]): Promise<number> {
  const began = performance.now();
  const child = spawn(program, args, { cwd, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text) => {
    said += text;
  });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}: ${said}`);
  return (performance.now() - began) / 1000;
}

async function writeRandom(path: string, bytes: number): Promise<void> {
  await using file = await open(path, "w");
  const block = randomBytes(mebibyte);
  for (let at = 0; at < bytes; at += block.length) {
    block.writeUInt32BE(at / mebibyte);
    await file.write(block, 0, Math.min(block.length, bytes - at));
  }
}

/** What the processor's SHA-256 gives on all cores: bytes a second of a block that stays in the cache. */
async function processorRate(threads: readonly Worker[]): Promise<number> {
  const began = performance.now();
  const done = threads.map((thread) => once(thread, "message"));
  for (const thread of threads) thread.postMessage(Math.ceil(size / threads.length));
  await Promise.all(done);
  return size / ((performance.now() - began) / 1000);
}

async function hashing(dir: string): Promise<Row[]> {
  await mkdir(join(dir, "many"));
  const count = 4 * cores;
  for (let i = 0; i < count; i += 1) await writeRandom(join(dir, "many", `part-${i}`), Math.ceil(size / count));
  const files = await listFiles(join(dir, "many"));
  const threads = Array.from({ length: cores }, () => new Worker(new URL("../digest-thread.ts", import.meta.url)));
  const ours = async () => {
    const began = performance.now();
    await hashFiles(files);
    return size / ((performance.now() - began) / 1000);
  };
  const [own, processor] = await alternate(3, [ours, () => processorRate(threads)]);
  for (const thread of threads) await thread.terminate();
  await rm(join(dir, "many"), { recursive: true });
  const how = `${count} files of together ${sized} from the disk's cache, threads started anew, beside SHA-256 of as many bytes in memory on ${cores} threads; median of 3`;
  return [compared("large: hashing on all cores", median(own!) / 1e6, median(processor!) / 1e6, "MB a second", how)];
}

await part(() =>
  Scene.with(async ({ dir, planeDir, url }) => {
    const rows = await hashing(dir);
    const admin = (await readFile(join(planeDir, "admin.token"), "utf8")).trim();
    const plane = ["--url", url, "--token", admin];
    await tally(dir, "keygen", "key");
    await tally(
      dir,
      "identity",
      "add",
      "publisher",
      "--key",
      "key.pub.pem",
      "--may",
      "sign-model,train,release",
      ...plane,
    );
    await mkdir(join(dir, "m"));
    await writeRandom(join(dir, "m", "model.safetensors"), size);

    const step = async (name: string, how: string, ...args: string[]): Promise<Run> => {
      const run = await tally(dir, ...args);
      rows.push(
        figure(`large: ${name}`, run.seconds, "s", `${how}; ${sized} in one file, ${run.cpuSeconds.toFixed(1)} s CPU`),
        figure(
          `large: ${name}: most memory`,
          run.maxRssBytes / mebibyte,
          "MiB",
          "resident, at its peak, Node included",
        ),
      );
      return run;
    };
    await step("model pack", "into an image layout, fsynced", "model", "pack", "m", "-o", "layout");
    const sign = ["model", "sign", "m", "--key", "key.pem", "--force"];
    await step("model sign, shards", "shards of 64 MiB on all cores", ...sign, "--shard-size", "64MiB");
    await step("model sign", "the file as one stream of SHA-256", ...sign);
    await step("model verify", "the same", "model", "verify", "m", "--key", "key.pub.pem");
    rows.push(await besideReferenceSigner(dir, sign));

    const push = (n: number) => [
      ...["model", "push", "layout", `m${n}:v1`, "--signature", "m/model.sig", "--key", "key.pem", ...plane],
    ];
    const pull = (n: number) => ["model", "pull", "m1:v1", "-o", `pulled-${n}`, "--key", "key.pub.pem", ...plane];
    await step("model push", "verified, sent, signed, stated", ...push(1));
    await step("model push again", "nothing has to be sent", ...push(1));
    await step("model pull", "verified while it streams, unpacked, fsynced", ...pull(0));
    rows.push(...(await besideOras(dir, url, admin, push, pull)));
    return rows;
  }),
);

async function besideReferenceSigner(dir: string, sign: readonly string[]): Promise<Row> {
  const name = "large: model sign against model_signing";
  const program = findProgram("model_signing");
  if (program.path === undefined) return notMeasured(name, "s", program.why);
  const args = ["sign", "key", "--private_key", "key.pem", "--signature", "other.sig", "m"];
  const [own, other] = await alternate(rounds, [
    async () => (await tally(dir, ...sign)).seconds,
    () => timed(dir, program.path, args),
  ]);
  const how = `peer: model_signing sign key, as its defaults are; ${sized} in one file, both with their start; median of ${rounds}`;
  return compared(name, median(own!), median(other!), "s", how);
}

async function besideOras(
  dir: string,
  url: string,
  token: string,
  push: (n: number) => string[],
  pull: (n: number) => string[],
): Promise<Row[]> {
  const names = ["large: model push against oras cp", "large: model pull against oras cp"] as const;
  const program = findProgram("oras");
  if (program.path === undefined) return names.map((name) => notMeasured(name, "s", program.why));
  const { host } = new URL(url);
  let n = 1;
  const access = (side: "from" | "to") => [
    `--${side}-plain-http`,
    `--${side}-username=tally`,
    `--${side}-password=${token}`,
  ];
  const [pushed, orasPushed] = await alternate(rounds, [
    async () => (await tally(dir, ...push(++n))).seconds,
    () => timed(dir, program.path, ["cp", "--from-oci-layout", "layout:latest", ...access("to"), `${host}/o${++n}:v1`]),
  ]);
  const [pulled, orasPulled] = await alternate(rounds, [
    async () => {
      const { seconds } = await tally(dir, ...pull(++n));
      await rm(join(dir, `pulled-${n}`), { recursive: true });
      return seconds;
    },
    async () => {
      const to = `oras-${++n}`;
      const seconds = await timed(dir, program.path, [
        "cp",
        ...access("from"),
        `${host}/m1:v1`,
        "--to-oci-layout",
        `${to}:v1`,
      ]);
      await rm(join(dir, to), { recursive: true });
      return seconds;
    },
  ]);
  const same = `the same artifact of ${sized}, the same registry; median of ${rounds}`;
  return [
    compared(
      names[0],
      median(pushed!),
      median(orasPushed!),
      "s",
      `signature and every file verified while it is sent, statements after it; peer: oras cp from the layout; ${same}`,
    ),
    compared(
      names[1],
      median(pulled!),
      median(orasPulled!),
      "s",
      `signature verified, files unpacked and fsynced; peer: oras cp into a layout, which neither unpacks nor verifies signatures; ${same}`,
    ),
  ];
}
