// Lists of what refers to one model: ten thousand beside zot, and a million alone. referrers.ts [COUNT]: as many as that instead.

import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatTime, RegistryClient } from "@tally/oci";
import { findProgram } from "../../interop/programs.ts";
import { began, deviceName, model, referrer, repository, seedLayout, types } from "../many-referrers.ts";
import { alternate, median } from "../measure.ts";
import { part } from "../part.ts";
import { startZot } from "../peer-zot.ts";
import { Registry } from "../registry.ts";
import { compared, figure, notMeasured, type Row } from "../row.ts";

const few = 10_000;
const many = Number(process.argv[2] ?? 1_000_000);
const rounds = 9;
const mebibyte = 1024 * 1024;
const path = `/v2/${repository}/referrers/${model.digest}`;

await part(async () => {
  const dir = await mkdtemp(join(tmpdir(), "tally-bench-"));
  try {
    return [...(await besideZot(join(dir, "few"))), ...(await alone(join(dir, "many")))];
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

async function besideZot(dir: string): Promise<readonly Row[]> {
  await mkdir(join(dir, "tally"), { recursive: true });
  await seed(join(dir, "tally"), few);
  const tally = await Registry.start(join(dir, "tally"));
  const program = findProgram("zot");
  const names = ["first page", "full walk", "a push of one more"].map((what) => `referrers: ${what} at ${shown(few)}`);
  if (program.path === undefined) {
    await tally.stop();
    return names.map((name) => notMeasured(name, "ms", `zot is the peer: ${program.why}`));
  }
  await seedLayout(join(dir, "zot", "storage", repository), few);
  const zot = await startZot(program.path, join(dir, "zot"));
  try {
    let pushed = many;
    const works = [
      (url: string) => timed(() => firstPage(url)),
      (url: string) => timed(() => walk(url, few)),
      (url: string) => timed(() => push(url, pushed++)),
    ];
    const rows: Row[] = [];
    for (const [i, work] of works.entries()) {
      const [ours, theirs] = await alternate(rounds, [() => work(tally.url), () => work(zot.url)]);
      const how = `peer: zot, which sends all in one page. Median of ${rounds} rounds that alternate, over HTTP, one client for both, no access control; both seeded by a bulk loader, and what is pushed is then there as well`;
      rows.push(compared(names[i]!, median(ours!), median(theirs!), "ms", how));
    }
    return rows;
  } finally {
    await Promise.all([tally.stop(), zot.stop()]);
  }
}

async function alone(dir: string): Promise<readonly Row[]> {
  await mkdir(dir, { recursive: true });
  const loaded = await seed(dir, many);
  const registry = await Registry.start(dir);
  const at = `at ${shown(many)}`;
  try {
    const middle = { since: began + (many / 2) * 1_000, until: began + (many / 2 + 500) * 1_000 };
    const time = { "tally.since": formatTime(middle.since), "tally.until": formatTime(middle.until) };
    const asked: readonly (readonly [string, Record<string, string>])[] = [
      ["", {}],
      [" of a type", { artifactType: types.signature }],
      [" of a device", { "tally.device": deviceName(7) }],
      [" of a time in the middle", time],
      [" of a device, a type and a time", { ...time, "tally.device": deviceName(7), artifactType: types.segment }],
    ];
    const rows: Row[] = [];
    for (const [what, query] of asked) {
      const times = await repeated(() => firstPage(registry.url, query));
      const how = `median of ${rounds}, over HTTP, pages of up to 1,000; the slowest ${Math.max(...times).toFixed(1)} ms`;
      rows.push(figure(`referrers: first page${what} ${at}`, median(times), "ms", how));
    }
    const whole = await timed(() => walk(registry.url, many));
    const [clientAtMost, server] = [process.resourceUsage().maxRSS * 1024, await registry.usage()];
    let next = many;
    const pushes = await repeated(() => push(registry.url, next++));
    const deletions = await repeated(() => client(registry.url).delete(referrer(--next).descriptor.digest));
    return [
      ...rows,
      figure(
        `referrers: full walk ${at}`,
        whole / 1000,
        "s",
        "RegistryClient.referrers from the first to the last, once",
      ),
      figure(
        `referrers: server's memory ${at}`,
        server.maxRssBytes / mebibyte,
        "MiB",
        "resident, at the most, after that walk",
      ),
      figure(`referrers: client's memory ${at}`, clientAtMost / mebibyte, "MiB", "the same of who walked"),
      figure(
        `referrers: a push of one more ${at}`,
        median(pushes),
        "ms",
        `manifest over HTTP, durable; median of ${rounds}`,
      ),
      figure(`referrers: a deletion ${at}`, median(deletions), "ms", `over HTTP, durable; median of ${rounds}`),
      figure(
        `referrers: bulk load of ${shown(many)}`,
        loaded.seconds,
        "s",
        `in a process of its own, which took ${Math.round(loaded.maxRssBytes / mebibyte)} MiB at the most; without the manifests' bytes`,
      ),
    ];
  } finally {
    await registry.stop();
  }
}

async function firstPage(url: string, query: Record<string, string> = {}): Promise<void> {
  const response = await fetch(`${url}${path}?${new URLSearchParams(query)}`);
  const { manifests } = (await response.json()) as { manifests: unknown[] };
  if (manifests.length === 0) throw new Error(`${url} lists nothing`);
}

async function walk(url: string, atLeast: number): Promise<void> {
  let count = 0;
  for await (const _ of client(url).referrers(model.digest)) count += 1;
  if (count < atLeast) throw new Error(`${url} lists ${count} of ${atLeast}`);
}

async function push(url: string, n: number): Promise<void> {
  const { bytes, mediaType } = referrer(n);
  await client(url).pushManifest(bytes, mediaType);
}

function client(url: string): RegistryClient {
  return new RegistryClient({ url, repository });
}

async function timed(step: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await step();
  return performance.now() - before;
}

/** After one that does not count. */
async function repeated(step: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round <= rounds; round += 1) times.push(await timed(step));
  return times.slice(1);
}

async function seed(dir: string, count: number): Promise<{ seconds: number; maxRssBytes: number }> {
  const child = fork(fileURLToPath(new URL("../many-referrers.ts", import.meta.url)), [dir, String(count)]);
  const exited = once(child, "exit");
  const [told] = await Promise.race([once(child, "message"), exited]);
  if (typeof told !== "object") throw new Error(`seeding ended with code ${told}`);
  await exited;
  return told;
}

function shown(count: number): string {
  return count.toLocaleString("en-US");
}
