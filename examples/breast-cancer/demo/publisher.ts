// The publisher's side of the demo: a model version from training to a channel, with the commands that anyone would use.

import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Digest,
  digestOf,
  evaluationStatement,
  type ResourceDescriptor,
  signStatement,
  statementSignerFromPem,
  type TrainingDependency,
  trainingStatement,
} from "@tally/evidence";
import type { Sample } from "../dataset.ts";
import { evaluate } from "../evaluate.ts";
import { classifierToOnnx } from "../onnx.ts";
import type { Version } from "../versions.ts";
import { tally } from "./processes.ts";

export interface Desk {
  readonly work: string;
  readonly url: string;
  readonly publisherToken: string;
  readonly approverToken: string;
  readonly publisherKey: string;
  readonly reviewerKey: string;
}

export interface Published {
  readonly manifest: Digest;
  readonly file: Digest;
  readonly accuracy: number;
}

export interface Training {
  readonly name: string;
  readonly version: Version;
  readonly dependencies: readonly TrainingDependency[];
  readonly holdOut: readonly Sample[];
}

export const repository = "breast-cancer";
export const channel = `${repository}:stable`;

/** Writes, states, signs, packs, pushes, approves and releases one version. */
export async function publish(desk: Desk, { name, version, dependencies, holdOut }: Training): Promise<Published> {
  const dir = join(desk.work, name);
  await mkdir(dir, { recursive: true });
  const onnx = classifierToOnnx(version.classifier);
  const file = digestOf(onnx);
  const measures = evaluate(version.classifier, holdOut);
  await writeFile(join(dir, "model.onnx"), onnx);
  await writeFile(join(dir, "README.md"), modelCard(name, version));
  const publisher = { TALLY_URL: desk.url, TALLY_TOKEN: desk.publisherToken };
  const subject = [{ name: "model.onnx", digest: file }];
  const { hyperparameters } = version;
  await post(
    desk,
    trainingStatement(subject, {
      buildType: "urn:tally:build:training:v1",
      parameters: { ...hyperparameters, version: name, samples: version.samples },
      dependencies,
      builder: "https://nodejs.org/",
      finishedOn: new Date().toISOString(),
    }),
  );
  await tally(["model", "sign", dir, "--key", desk.publisherKey]);
  const layout = join(desk.work, `${name}.layout`);
  await tally(["model", "pack", dir, "-o", layout]);
  const pushed = JSON.parse(
    await tally(
      [
        "model",
        "push",
        layout,
        `${repository}:${name}`,
        "--signature",
        join(dir, "model.sig"),
        "--key",
        desk.publisherKey,
        "--json",
      ],
      publisher,
    ),
  ) as { manifest: Digest };
  const configuration: ResourceDescriptor[] = [{ name: "held-out patients", annotations: { rows: holdOut.length } }];
  await post(
    desk,
    evaluationStatement({
      subject: pushed.manifest,
      result: "PASSED",
      configuration,
      metrics: { accuracy: measures.accuracy, sensitivity: measures.sensitivity, specificity: measures.specificity },
    }),
  );
  await tally(["approve", pushed.manifest, "--key", desk.reviewerKey], {
    TALLY_URL: desk.url,
    TALLY_TOKEN: desk.approverToken,
  });
  await tally(["release", pushed.manifest, channel, "--key", desk.publisherKey], publisher);
  return { manifest: pushed.manifest, file, accuracy: measures.accuracy };
}

async function post(desk: Desk, statement: Parameters<typeof signStatement>[0]): Promise<void> {
  const { bytes } = await signStatement(statement, statementSignerFromPem(readFileSync(desk.publisherKey, "utf8")));
  const path = join(desk.work, `${digestOf(bytes).slice(7, 23)}.dsse.json`);
  await writeFile(path, bytes);
  await tally(["statement", "post", path], { TALLY_URL: desk.url, TALLY_TOKEN: desk.publisherToken });
}

function modelCard(name: string, { samples, hyperparameters }: Version): string {
  return `# Breast cancer classifier, ${name}

Learned from ${samples} patients; hyperparameters ${JSON.stringify(hyperparameters)}.
Input \`features\`: 30 measurements in the order of the UCI table. Output \`label\`: 1 is malignant.
A demonstration, not a medical device.
`;
}
