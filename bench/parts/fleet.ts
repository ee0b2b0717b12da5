// What a fleet of ten thousand devices costs a plane: starting anew from the fleet log, and rounds of sealing.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asLeafHash, encodeEntry, generatePrivateKeyPem, noteSignerFromPem, randomBytes, toHex } from "@tally/evidence";
import { type Plane, startPlane } from "@tally/plane";
import { part } from "../part.ts";
import { figure, type Row } from "../row.ts";

const devices = 10_000;
const rounds = 9;
const name = "tally.bench/fleet";
const { key } = noteSignerFromPem("x", 1, generatePrivateKeyPem("ed25519"));
const keySet = [{ type: key.type, publicKey: key.publicKey }];

await part(async (): Promise<readonly Row[]> => {
  const dir = await mkdtemp(join(tmpdir(), "tally-bench-"));
  try {
    return await measure({ dir, name, sealIntervalMs: 2 ** 30 });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

async function measure(options: Parameters<typeof startPlane>[0]): Promise<readonly Row[]> {
  let plane = await startPlane(options);
  let last: Promise<void> = Promise.resolve();
  for (let i = 0; i < devices; i += 1) {
    last = plane.parts.logs.fleet.append(encodeEntry({ time: Date.now(), ...enrolment() })).committed;
    if (i % 4096 === 4095) await last;
  }
  await last;
  await plane.close();
  const start = await cpu(async () => {
    plane = await startPlane(options);
  });
  const still: number[] = [];
  for (let i = 0; i < rounds; i += 1) still.push(await cpu(() => plane.parts.sealer.seal()));
  const moved: number[] = [];
  for (let i = 0; i < rounds; i += 1) {
    await plane.parts.logs.append("fleet", enrolment());
    moved.push(await cpu(() => plane.parts.sealer.seal()));
  }
  await plane.close();
  const fleet = `a fleet log of ${devices.toLocaleString("en-US")} enrolments, CPU time of the process`;
  return [
    figure("plane: start with 10,000 devices", start, "ms CPU", fleet),
    figure("plane: a round in which no head moved", median(still), "ms CPU", `${fleet}, median of ${rounds}`),
    figure("plane: a round with one device more", median(moved), "ms CPU", `${fleet}, median of ${rounds}`),
  ];
}

function enrolment(): Parameters<Plane["parts"]["logs"]["append"]>[1] & { readonly kind: "enrol" } {
  const deviceId = toHex(randomBytes(16));
  const origin = `${name}/d/${deviceId}/0`;
  return { kind: "enrol", deviceId, epoch: 0, origin, genesisHash: asLeafHash(randomBytes(32)), keySet };
}

async function cpu(step: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await step();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
