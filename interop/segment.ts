// A segment that a device packed, for other people's tools to open.
import { join } from "node:path";
import type { TestContext } from "node:test";
import { openDevice, type Recipient } from "@tally/edge";
import { type ArtifactSource, RegistryClient } from "@tally/oci";
import { enrolDevice } from "../packages/edge/src/testing/loopback-device.ts";
import { LoopbackPlane } from "../packages/edge/src/testing/loopback-plane.ts";
import { publishModel } from "../packages/edge/src/testing/publish-model.ts";
import { temporaryFolder } from "./server-process.ts";

export interface Packed {
  readonly manifest: string;
  readonly source: ArtifactSource;
  /** Indices of its records. */
  readonly indices: readonly number[];
}

/** Runs the tiny model 40 times, labels every record by whether its first feature is above 20, and packs a segment. */
export async function packedSegment(t: TestContext, recipients: readonly Recipient[] = []): Promise<Packed> {
  const root = await temporaryFolder(t);
  const plane = await LoopbackPlane.open(join(root, "plane"));
  t.after(() => plane.close());
  await publishModel(plane);
  const device = await openDevice({
    dir: await enrolDevice(plane, join(root, "device"), { capture: "full", recipients }),
  });
  const session = await (await device.load("tiny:stable")).onnx();
  const indices: number[] = [];
  for (let i = 0; i < 40; i++) {
    const features = { type: "float32", dims: [1, 4], data: [i, 2, 3, 4] };
    const { record } = await session.run({ features }, { subject: `person ${i % 7}` });
    await device.label({ record, content: { json: i > 20 } });
    indices.push(record.index);
  }
  await device.sync();
  const [segment] = await device.packSegments();
  await device.close();
  if (segment === undefined) throw new Error("the device packed no segment");
  return { manifest: segment.artifact, source: new RegistryClient({ url: plane.url, repository: "tiny" }), indices };
}
