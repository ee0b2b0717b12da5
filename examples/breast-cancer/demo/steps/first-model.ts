import { readFile } from "node:fs/promises";
import { digestOf } from "@tally/evidence";
import { datasetPath } from "../../dataset.ts";
import { trainFirst } from "../../versions.ts";
import { tally } from "../processes.ts";
import { channel, publish } from "../publisher.ts";
import type { Scene } from "../scene.ts";
import { short } from "../story.ts";

const citation =
  "Wolberg, W., Mangasarian, O., Street, N. and Street, W. (1995). Breast Cancer Wisconsin (Diagnostic). UCI Machine Learning Repository. https://doi.org/10.24432/C5DW2B";

/** Step 2: the dataset is ingested, version 1 is trained, signed, packed, pushed, approved by another person, released. */
export async function makeFirstModel(scene: Scene): Promise<void> {
  const { story, desk, split, patients } = scene;
  story.heading(2, "A real dataset, and a first model from it");
  scene.dataset = digestOf(await readFile(datasetPath));
  await tally(
    [
      "ingest",
      datasetPath,
      "--source",
      "https://archive.ics.uci.edu/dataset/17",
      "--license",
      "CC-BY-4.0",
      "--citation",
      citation,
      "--key",
      desk.publisherKey,
    ],
    { TALLY_URL: desk.url, TALLY_TOKEN: desk.publisherToken },
  );
  story.line(`ingested the UCI table: ${story.figure("patients", patients.length)} patients, ${short(scene.dataset)}`);
  const first = await publish(desk, {
    name: "v1",
    version: trainFirst(split.train),
    dependencies: [{ name: "wdbc.csv", digest: digestOf(await readFile(datasetPath)), role: "dataset" }],
    holdOut: split.holdOut,
  });
  scene.versions.push(first);
  const accuracy = story.figure("accuracy of version 1 on held-out patients", first.accuracy.toFixed(3));
  story.line(`version 1 is right about ${accuracy} of the patients that were held out`);
  story.line(`signed by the publisher, approved by the reviewer, released to ${channel}: ${short(first.manifest)}`);
}
