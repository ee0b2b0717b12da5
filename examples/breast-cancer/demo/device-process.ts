// A device of the demo: a process of its own, with its own folder, keys and ledger. Takes orders from its parent.

import { type Device, type LoadedModel, openDevice } from "@tally/edge";
import { asLeafHash, fromHex, toHex } from "@tally/evidence";
import type { Ask, Diagnosis, PatientFeatures, Said } from "./device-messages.ts";

const dir = process.argv[2];
if (dir === undefined || process.send === undefined) throw new Error("device-process.ts is started by the demo");
const device = await openDevice({ dir });
let model: LoadedModel | undefined;

process.on("message", async (ask: Ask) => {
  const said: Said = await obey(ask).then(
    (value): Said => ({ ok: true, value }),
    (error: Error & { code?: string }): Said => ({
      ok: false,
      code: error.code ?? "unexpected",
      message: error.message,
    }),
  );
  process.send?.(said, () => {
    if (ask.do === "close") process.disconnect?.();
  });
});
// The demo is gone, or this device is done.
process.on("disconnect", () => process.exit());
const ready: Said = { ok: true, value: { origin: device.origin, deviceId: device.deviceId } };
process.send?.(ready);

async function obey(ask: Ask): Promise<unknown> {
  switch (ask.do) {
    case "load": {
      await model?.unload();
      model = undefined;
      model = await device.load(ask.channel);
      return { manifest: model.manifest, sequence: model.sequence, fresh: model.fresh };
    }
    case "diagnose":
      return diagnose(device, model, ask.patients);
    case "label":
      for (const { index, leaf, malignant } of ask.labels) {
        const record = { origin: device.origin, index, leaf: asLeafHash(fromHex(leaf)) };
        await device.label({ record, content: { json: { malignant } } });
      }
      return ask.labels.length;
    case "sync":
      return { mirrored: (await device.sync()).mirrored };
    case "pack":
      return (await device.packSegments()).map(({ artifact, rows }) => ({ artifact, rows }));
    case "close":
      await device.close();
      return null;
  }
}

async function diagnose(
  { origin }: Device,
  loaded: LoadedModel | undefined,
  patients: readonly PatientFeatures[],
): Promise<readonly Diagnosis[]> {
  if (loaded === undefined) throw new Error(`${origin} has no model loaded`);
  const session = await loaded.onnx();
  const diagnoses: Diagnosis[] = [];
  for (const { row, features } of patients) {
    const data = Float32Array.from(features);
    const { outputs, record } = await session.run({ features: { type: "float32", data, dims: [1, data.length] } });
    const probability = Number(outputs.probability?.data[0]);
    const malignant = Number(outputs.label?.data[0]) === 1;
    diagnoses.push({ row, malignant, probability, index: record.index, leaf: toHex(record.leaf) });
  }
  return diagnoses;
}
