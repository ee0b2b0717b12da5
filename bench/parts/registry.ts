// Small requests of Tally's registry beside docker-registry and zot, and whole transfers of Tally's client beside oras.

import { spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, encodeImageManifest, ImageLayout, RegistryClient } from "@tally/oci";
import { findProgram } from "../../interop/programs.ts";
import { startRegistry } from "../../interop/registries.ts";
import { KeepAlive } from "../keep-alive.ts";
import { alternate, median } from "../measure.ts";
import { part } from "../part.ts";
import { Registry } from "../registry.ts";
import { compared, notMeasured, type Row } from "../row.ts";
import { Scene } from "../scene.ts";

const transfer = fileURLToPath(new URL("../transfer-process.ts", import.meta.url));
const rounds = 7;
const requests = 2_000;
const width = 8;
const mebibyte = 1024 * 1024;
const layers = 4;
const layerBytes = 64 * mebibyte;

/** A registry that is asked: where, and as whom. */
interface Asked {
  readonly url: string;
  readonly token?: string;
}

await part(async () => {
  const dir = await mkdtemp(join(tmpdir(), "tally-bench-"));
  try {
    const small: Row[] = [];
    for (const peer of ["docker-registry", "zot"] as const) small.push(...(await smallRequests(peer, join(dir, peer))));
    return [...small, ...(await transfers(dir))];
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

async function smallRequests(peer: "docker-registry" | "zot", dir: string): Promise<readonly Row[]> {
  const works = ["HEAD of a manifest by tag", "GET of a manifest by digest", "GET of a blob of 4 KiB"];
  const name = (work: string) => `registry: ${work}, beside ${peer}`;
  const found = findProgram(peer);
  if (found.path === undefined) return works.map((work) => notMeasured(name(work), "a second", found.why));
  const theirs = await startRegistry(peer, found.path, dir);
  try {
    return await Scene.with(async (scene) => {
      const sides = await Promise.all([{ url: scene.url, token: scene.adminToken }, theirs].map(prepared));
      const rows: Row[] = [];
      for (const [i, work] of works.entries()) {
        const [mine, other] = await alternate(
          rounds,
          sides.map((side) => () => side.rate(i)),
        );
        const how = `peer: ${peer}, without access control; Tally is a whole plane that checks a token. ${requests} requests over ${width} connections that stay open, median of ${rounds} rounds that alternate`;
        rows.push(compared(name(work), median(mine!), median(other!), "a second", how));
      }
      return rows;
    });
  } finally {
    await theirs.stop();
  }
}

/** The same small artifact at each, and connections to it. */
async function prepared({ url, token }: Asked) {
  const repository = "bench/small";
  const client = new RegistryClient({ url, repository, ...(token === undefined ? {} : { token }) });
  const blob = randomFillSync(new Uint8Array(4096));
  const config = new TextEncoder().encode("{}");
  const parts = {
    config: describe("application/vnd.oci.image.config.v1+json", config),
    layers: [describe("application/vnd.oci.image.layer.v1.tar", blob)],
  };
  await client.pushBlob(parts.config, config);
  await client.pushBlob(parts.layers[0]!, blob);
  const { bytes, descriptor } = encodeImageManifest(parts);
  await client.pushManifest(bytes, descriptor.mediaType, "v1");
  const head = [
    `Host: ${new URL(url).host}`,
    `Accept: ${descriptor.mediaType}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
  ];
  const request = (line: string) => Buffer.from([`${line} HTTP/1.1`, ...head, "", ""].join("\r\n"));
  const asked = [
    { request: request(`HEAD /v2/${repository}/manifests/v1`), withBody: false },
    { request: request(`GET /v2/${repository}/manifests/${descriptor.digest}`), withBody: true },
    { request: request(`GET /v2/${repository}/blobs/${parts.layers[0]!.digest}`), withBody: true },
  ];
  return {
    rate: async (i: number): Promise<number> => {
      // Anew each round, since a server closes what was silent for a while.
      const connections = await KeepAlive.open(url, width);
      const before = performance.now();
      await connections.send(asked[i]!.request, requests, asked[i]!.withBody);
      const took = performance.now() - before;
      connections.close();
      return (requests * 1000) / took;
    },
  };
}

async function transfers(dir: string): Promise<readonly Row[]> {
  const mebibytes = (layers * layerBytes) / mebibyte;
  const names = ["push", "pull"].map((what) => `registry: ${what} of ${mebibytes} MiB, beside oras`);
  const oras = findProgram("oras");
  if (oras.path === undefined) return names.map((name) => notMeasured(name, "s", oras.why));
  const layout = join(dir, "layout");
  await writeLayout(layout);
  const registry = await Registry.start(dir);
  const host = new URL(registry.url).host;
  let n = 0;
  const push = [
    () => ran(process.execPath, [transfer, "push", layout, registry.url, `mine/${++n}`]),
    () => ran(oras.path, ["cp", "--from-oci-layout", `${layout}:v1`, "--to-plain-http", `${host}/oras/${++n}:v1`]),
  ];
  const pull = [
    () => emptied(join(dir, "out"), (out) => ran(process.execPath, [transfer, "pull", out, registry.url, "mine/1"])),
    () =>
      emptied(join(dir, "out"), (out) =>
        ran(oras.path, ["cp", "--from-plain-http", `${host}/mine/1:v1`, "--to-oci-layout", `${out}:v1`]),
      ),
  ];
  try {
    const rows: Row[] = [];
    for (const [i, works] of [push, pull].entries()) {
      const [mine, theirs] = await alternate(5, works);
      const how = `peer: oras, at Tally's registry as well. ${layers} layers between an image layout and the registry, each transfer a process of its own, start included; median of 5 rounds that alternate`;
      rows.push(compared(names[i]!, median(mine!) / 1000, median(theirs!) / 1000, "s", how));
    }
    return rows;
  } finally {
    await registry.stop();
  }
}

async function writeLayout(dir: string): Promise<void> {
  const layout = await ImageLayout.create(dir);
  const config = new TextEncoder().encode("{}");
  const parts = { config: describe("application/json", config), layers: [] as ReturnType<typeof describe>[] };
  await layout.pushBlob(parts.config, config);
  for (let i = 0; i < layers; i += 1) {
    const bytes = randomFillSync(new Uint8Array(layerBytes));
    const layer = describe("application/octet-stream", bytes);
    await layout.pushBlob(layer, bytes);
    parts.layers.push(layer);
  }
  const { bytes, descriptor } = encodeImageManifest(parts);
  await layout.pushManifest(bytes, descriptor.mediaType, "v1");
}

async function emptied(dir: string, work: (dir: string) => Promise<number>): Promise<number> {
  await rm(dir, { recursive: true, force: true });
  return work(dir);
}

/** Milliseconds that a process took from start to end. */
async function ran(command: string, args: readonly string[]): Promise<number> {
  const before = performance.now();
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}`);
  return performance.now() - before;
}
