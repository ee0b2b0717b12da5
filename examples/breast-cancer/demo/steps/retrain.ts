import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, parseDigest, type TrainingDependency } from "@tally/evidence";
import { datasetPath, featureNames, type Sample } from "../../dataset.ts";
import { trainThird } from "../../versions.ts";
import { tally } from "../processes.ts";
import { publish } from "../publisher.ts";
import type { Scene } from "../scene.ts";
import { short } from "../story.ts";

interface Row {
  readonly origin: string;
  readonly input: { readonly features: { readonly data: readonly number[] } };
  readonly labels: readonly { readonly value: { readonly malignant: boolean } }[];
}

/** Step 7: what came back from the field under version 1 is found by its digest, and version 3 learns from it. */
export async function retrain(scene: Scene): Promise<void> {
  const { story, desk, split, work } = scene;
  story.heading(7, "Training data by model digest, and a third version with its lineage");
  await scene.startPlane(scene.port);
  const [first] = scene.versions;
  const dir = join(work, "field-data");
  const scientist = { TALLY_URL: desk.url, TALLY_TOKEN: await scene.token("scientist"), TALLY_TRUST: scene.trustPath };
  await tally(["data", "query", "--model", first!.manifest, "-o", dir, "--key", desk.publisherKey], scientist);
  const text = await readFile(join(dir, "records.jsonl"), "utf8");
  const rows = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
  const field = rows.filter(({ labels }) => labels.length > 0).map(sampleOf);
  const devices = new Set(rows.map(({ origin }) => origin)).size;
  story.line(
    `${story.figure("rows found by the digest of version 1", rows.length)} rows from ${devices} devices, every one proven against its ledger; ${story.figure("labelled rows", field.length)} have a label`,
  );
  const dependencies: TrainingDependency[] = [
    { name: "wdbc.csv", digest: digestOf(await readFile(datasetPath)), role: "dataset" },
    { name: "records.jsonl", digest: digestOf(await readFile(join(dir, "records.jsonl"))), role: "dataset" },
    { name: "v1", digest: parseDigest(first!.manifest), role: "model", relation: "data-collection" },
  ];
  const third = await publish(desk, {
    name: "v3",
    version: trainThird(split.train, field),
    dependencies,
    holdOut: split.holdOut,
  });
  scene.versions.push(third);
  const accuracy = story.figure("accuracy of version 3 on held-out patients", third.accuracy.toFixed(3));
  story.line(
    `version 3 (${short(third.manifest)}) learned from them; right about ${accuracy} of the held-out patients`,
  );
  const auditor = { TALLY_URL: desk.url, TALLY_TOKEN: await scene.token("auditor") };
  const lineage = await tally(["trace", third.manifest], auditor);
  story.line("its lineage, from signed statements:");
  for (const line of lineage.split("\n")) story.line(`  ${line}`);
}

function sampleOf({ input, labels }: Row): Sample {
  const { data } = input.features;
  if (data.length !== featureNames.length) throw new Error(`a row has ${data.length} features`);
  return { features: Float32Array.from(data), malignant: labels.at(-1)!.value.malignant };
}
