import { readFile } from "node:fs/promises";
import { digestOf } from "@tally/evidence";
import { datasetPath } from "../../dataset.ts";
import { trainSecond } from "../../versions.ts";
import { channel, publish } from "../publisher.ts";
import type { Scene } from "../scene.ts";
import { short } from "../story.ts";
import { firstRound, offlineRound } from "./go-offline.ts";

const secondRound = 6;
const labelled = 8;

/** Step 4: the plane is back. Devices sync, take version 2, go on; ground truth arrives; segments go up. */
export async function comeBack(scene: Scene): Promise<void> {
  const { story, desk, split, devices } = scene;
  story.heading(4, "The network is back, and so is a second version");
  await scene.startPlane(scene.port);
  for (const device of devices) await device.sync();
  const held = devices.length * (firstRound + offlineRound);
  story.line(
    `every device synced: the plane now mirrors all ${story.figure("records mirrored after reconnection", held)} records`,
  );
  const second = await publish(desk, {
    name: "v2",
    version: trainSecond(split.train),
    dependencies: [{ name: "wdbc.csv", digest: digestOf(await readFile(datasetPath)), role: "dataset" }],
    holdOut: split.holdOut,
  });
  scene.versions.push(second);
  const loads = await Promise.all(devices.map((device) => device.load(channel)));
  if (loads.some(({ manifest }) => manifest !== second.manifest)) throw new Error("a device did not take version 2");
  story.line(`version 2 (${short(second.manifest)}) released; every device took it`);
  await Promise.all(
    devices.map((device, i) => device.diagnose(scene.patientsFor(i, firstRound + offlineRound, secondRound))),
  );
  let labels = 0;
  for (const device of devices) {
    const known = device.diagnoses.slice(0, labelled);
    await device.label(known.map(({ index, leaf, row }) => ({ index, leaf, malignant: scene.isMalignant(row) })));
    labels += known.length;
  }
  story.line(`the truth became known for ${story.figure("labels", labels)} patients, and was recorded`);
  let rows = 0;
  for (const device of devices) {
    await device.sync();
    for (const segment of await device.pack()) rows += segment.rows;
    await device.sync();
  }
  story.line(`${story.figure("rows in segments", rows)} rows came back as training-data ModelKits beside their models`);
}
