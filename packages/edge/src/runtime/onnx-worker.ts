// The thread that runs a model: a running model blocks its event loop, and syncing and sealing must go on meanwhile.

import { parentPort, workerData } from "node:worker_threads";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { FromWorker, ModelBytes, ToWorker, ValueShape, WireTensor } from "./onnx-protocol.ts";

const port = parentPort;
if (port === null) throw new Error("onnx-worker.ts runs as a worker thread only");

function say(message: FromWorker): void {
  port?.postMessage(message);
}

function shapes(values: readonly InferenceSession.ValueMetadata[]): ValueShape[] {
  return values.map((value) =>
    value.isTensor
      ? { name: value.name, type: value.type, shape: [...value.shape] }
      : { name: value.name, type: "none", shape: [] },
  );
}

async function run(session: InferenceSession, id: number, feeds: readonly WireTensor[]): Promise<void> {
  try {
    const inputs: Record<string, Tensor> = {};
    for (const feed of feeds) {
      inputs[feed.name] = new Tensor(feed.type as Tensor.Type, feed.data as Tensor["data"], feed.dims);
    }
    const start = process.hrtime.bigint();
    const results = await session.run(inputs);
    const micros = Number((process.hrtime.bigint() - start) / 1000n);
    const outputs = Object.entries(results).map(([name, value]): WireTensor => {
      if (!(value instanceof Tensor)) throw new Error(`output ${name} is not a tensor`);
      return { name, type: value.type, dims: [...value.dims], data: value.data as WireTensor["data"] };
    });
    say({ kind: "result", id, outputs, micros });
  } catch (error) {
    say({ kind: "error", id, message: error instanceof Error ? error.message : String(error) });
  }
}

// A model that names a file which is not in the table is refused. With an empty table the runtime might look for it on the
// disk, so there is always something in it.
const nothing = { path: "\0", data: new Uint8Array(1) };

async function main({ model, external }: ModelBytes): Promise<void> {
  // Logs of the runtime below an error would mix with what the device prints.
  const session = await InferenceSession.create(model, {
    logSeverityLevel: 3,
    externalData: external.length === 0 ? [nothing] : external,
  });
  say({ kind: "ready", inputs: shapes(session.inputMetadata), outputs: shapes(session.outputMetadata) });
  port?.on("message", (message: ToWorker) => {
    if (message.kind === "run") void run(session, message.id, message.feeds);
    else void session.release().finally(() => port?.close());
  });
}

main(workerData as ModelBytes).catch((error: unknown) => {
  say({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  port.close();
});
