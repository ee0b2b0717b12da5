import { join } from "node:path";
import { DemoDevice } from "../device.ts";
import { tally } from "../processes.ts";
import { channel } from "../publisher.ts";
import type { Scene } from "../scene.ts";

export const firstRound = 8;
export const offlineRound = 6;

/** Step 3: devices enrol, pull by digest, verify and run; then the plane goes away and they go on. */
export async function goOffline(scene: Scene): Promise<void> {
  const { story, options, work } = scene;
  story.heading(3, `${options.devices} devices, and then no network`);
  const names = Array.from({ length: options.devices }, (_, i) => `device-${i + 1}`);
  await inTurns(names, async (name) => {
    const dir = join(work, name);
    const token = await tally(["device", "token", "--name", name], scene.admin);
    const config = ["--capture", "full"];
    await tally([
      "device",
      "enroll",
      "--dir",
      dir,
      "--url",
      scene.plane.url,
      "--enrolment-token",
      token,
      "--trust",
      scene.trustPath,
      ...config,
    ]);
    return dir;
  });
  for (const name of names) scene.devices.push(await DemoDevice.start(name, join(work, name)));
  story.line(`${options.devices} devices enrolled, each with a one-time token and keys of its own`);
  await Promise.all(scene.devices.map((device) => device.load(channel)));
  story.line("each verified signature, approval and release, and loaded the very bytes that it had measured");
  await diagnoseAll(scene, 0, firstRound);
  for (const device of scene.devices) await device.sync();
  story.line(`${story.figure("records made online", scene.devices.length * firstRound)} diagnoses recorded and synced`);
  await scene.plane.stop();
  await diagnoseAll(scene, firstRound, offlineRound);
  const refused = await scene.devices[0]!.sync().then(
    () => "it was reachable",
    (error: { code?: string }) => error.code ?? "",
  );
  if (refused !== "unreachable") throw new Error(`a sync without a plane said: ${refused}`);
  story.line(
    `the plane is gone; ${story.figure("records made offline", scene.devices.length * offlineRound)} more diagnoses were recorded without it`,
  );
}

async function diagnoseAll(scene: Scene, begin: number, count: number): Promise<void> {
  await Promise.all(scene.devices.map((device, i) => device.diagnose(scene.patientsFor(i, begin, count))));
}

/** Two at a time: each is a process of its own. */
async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all([worker(), worker()]);
}
