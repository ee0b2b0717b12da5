import { join } from "node:path";
import { loadReasons } from "@tally/evidence";
import { copyDevice, offerCut, offerRewritten, replaceModelFile } from "../attacks.ts";
import { DemoDevice, DeviceRefusal } from "../device.ts";
import { tally } from "../processes.ts";
import { channel } from "../publisher.ts";
import type { Scene } from "../scene.ts";

interface DeviceRow {
  readonly deviceId: string;
  readonly state: string;
  readonly refusals: readonly { readonly reason: string }[];
  readonly conflicts: readonly { readonly kind: string; readonly reason: string }[];
}

/** Step 5: four attackers, each with a device's folder and keys. */
export async function attack(scene: Scene): Promise<void> {
  const { story, work, plane } = scene;
  story.heading(5, "Four attackers, each with a device's folder and keys");
  const [rewritten, cut, swapped, cloned, ...honest] = scene.devices as [
    DemoDevice,
    DemoDevice,
    DemoDevice,
    DemoDevice,
    ...DemoDevice[],
  ];

  await offerRewritten(await copyDevice(rewritten, join(work, "attacker-1")), plane.url);
  await requireState(scene, rewritten, "equivocated", "one output rewritten in the past");

  await offerCut(await copyDevice(cut, join(work, "attacker-2")), plane.url);
  await requireState(scene, cut, "equivocated", "the newest records cut off and others put in their place");

  await replaceModelFile(swapped, scene.versions.at(-1)!.manifest);
  await requireRefusal(swapped.load(channel), "load-refused");
  await swapped.sync();
  const refusals = (await rows(scene)).find(({ deviceId }) => deviceId === swapped.deviceId)?.refusals ?? [];
  if (!refusals.some(({ reason }) => reason in loadReasons))
    throw new Error("the refused load did not reach the plane");
  story.line(
    `${swapped.name}: a model file replaced. Refused before it ran (${refusals[0]?.reason}), and the refusal is in its ledger`,
  );

  const copy = await copyDevice(cloned, join(work, "attacker-4"));
  const clone = await DemoDevice.start("the clone", copy.dir);
  await clone.load(channel);
  await clone.diagnose(scene.patientsFor(3, 22, 2));
  await clone.sync();
  await cloned.diagnose(scene.patientsFor(3, 20, 2));
  await requireRefusal(cloned.sync(), "blocked");
  await requireState(scene, cloned, "equivocated", "a copy went on beside the original, both on one ledger");
  await requireRefusal(clone.sync(), "blocked");
  await clone.close();
  story.line(`${cloned.name}: original and clone are both kept out, since nothing tells which one is which`);

  for (const device of [swapped, ...honest]) await device.sync();
  story.line(
    `the other ${story.figure("devices undisturbed by the attacks", honest.length + 1)} devices went on syncing`,
  );
  for (const device of [rewritten, cut, cloned]) {
    const since = ["--compromised-at", new Date().toISOString(), "--reason", "equivocated"];
    const key = ["--key", join(work, "keys", "operator.pem")];
    await tally(["device", "revoke", device.deviceId, ...since, ...key], scene.admin);
  }
  story.line("the operator revoked the three devices' keys as of now: what is proven older still holds");
}

async function requireState(scene: Scene, device: DemoDevice, state: string, what: string): Promise<void> {
  const row = (await rows(scene)).find(({ deviceId }) => deviceId === device.deviceId);
  const conflict = row?.conflicts[0];
  if (row?.state !== state || conflict === undefined) throw new Error(`${device.name} is ${row?.state}, not ${state}`);
  scene.story.line(`${device.name}: ${what}. ${state}: ${conflict.reason}`);
}

async function requireRefusal(attempt: Promise<unknown>, code: string): Promise<void> {
  const found = await attempt.then(
    () => "done",
    (error: unknown) => (error instanceof DeviceRefusal ? error.code : String(error)),
  );
  if (found !== code) throw new Error(`expected ${code}, got ${found}`);
}

async function rows(scene: Scene): Promise<readonly DeviceRow[]> {
  return (JSON.parse(await tally(["device", "status", "--json"], scene.admin)) as { devices: DeviceRow[] }).devices;
}
