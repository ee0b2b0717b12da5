import { createRequire } from "node:module";
import { mediaTypes, type RecordReference } from "@tally/evidence";
import { type CanonicalContent, canonicalContent } from "../content.ts";
import type { DeviceCore } from "../device-core.ts";
import { type DeviceRecord, deviceRecord, type SyncedReceipts } from "../record.ts";
import type { Parameters, Usage } from "../recorder/decimal.ts";
import { recordOutput } from "../recorder/record-output.ts";
import type { LiveLoad } from "../recorder/recorder.ts";
import { requireFit } from "./feeds-fit.ts";
import type { ValueShape, WireTensor } from "./onnx-protocol.ts";
import type { OnnxThread } from "./onnx-thread.ts";
import { namedTensors, type OnnxTensor, wireTensors } from "./tensors.ts";

const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };

/** The runtime and provider as load entries carry them. */
export const onnxRuntime = { runtime: `onnxruntime ${version}`, provider: "cpu" } as const;

export interface RunOptions {
  /** Records whose outputs went into these feeds. */
  readonly parents?: readonly RecordReference[];
  readonly parameters?: Parameters;
  readonly usage?: Usage;
  /** Whom the record is about; as in `RecordRequest`. */
  readonly subject?: string;
}

export interface RunResult {
  /** By output name, as tensors that can be fed again. */
  readonly outputs: Readonly<Record<string, OutputTensor>>;
  readonly record: DeviceRecord;
}

/** An output in the shape of ONNX Runtime's Tensor. */
export interface OutputTensor extends OnnxTensor {
  readonly data: WireTensor["data"];
  /** How many elements. */
  readonly size: number;
}

/**
 * A loaded model in ONNX Runtime, with the calls of its InferenceSession. Every run is recorded before its outputs are
 * given to the caller, as the release mode says; a run that cannot be recorded gives no outputs.
 */
export class OnnxSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputMetadata: readonly ValueShape[];
  readonly outputMetadata: readonly ValueShape[];
  readonly #core: DeviceCore;
  readonly #thread: OnnxThread;
  readonly #load: LiveLoad;
  readonly #synced: SyncedReceipts;

  constructor(core: DeviceCore, thread: OnnxThread, load: LiveLoad, synced: SyncedReceipts) {
    this.#core = core;
    this.#thread = thread;
    this.#load = load;
    this.#synced = synced;
    this.inputMetadata = thread.inputs;
    this.outputMetadata = thread.outputs;
    this.inputNames = thread.inputs.map(({ name }) => name);
    this.outputNames = thread.outputs.map(({ name }) => name);
  }

  /**
   * Runs the model on named tensors, of ONNX Runtime or as `{ type, data, dims }`, and records input and output.
   *
   * @throws EdgeError `content-invalid` for tensors that do not fit their type or the model, `runtime-failed` when the model does not
   *   run, `record-failed`, `entry-too-large`, `model-released`.
   */
  async run(feeds: Readonly<Record<string, OnnxTensor>>, options: RunOptions = {}): Promise<RunResult> {
    const wire = wireTensors(feeds);
    requireFit(wire, this.inputMetadata);
    // Hashed and sent in one turn: what the caller changes in its arrays afterwards reaches neither.
    const input = canonicalTensors(wire);
    const { outputs, micros } = await this.#thread.run(wire);
    const output = { load: this.#load, input, output: canonicalTensors(outputs), durationMicros: micros, ...options };
    const record = await recordOutput(this.#core, output, (place) => deviceRecord(this.#core, place, this.#synced));
    return { outputs: byName(outputs), record };
  }

  /** Ends the thread that holds the model. The load stays until the model is released. */
  release(): Promise<void> {
    return this.#thread.release();
  }
}

function canonicalTensors(tensors: readonly WireTensor[]): CanonicalContent & { mediaType: typeof mediaTypes.tensors } {
  const { bytes, hash } = canonicalContent({ tensors: namedTensors(tensors) });
  return { mediaType: mediaTypes.tensors, bytes, hash };
}

function byName(tensors: readonly WireTensor[]): Readonly<Record<string, OutputTensor>> {
  const named = tensors.map(({ name, type, dims, data }) => [name, { type, dims, data, size: data.length }] as const);
  return Object.freeze(Object.fromEntries(named));
}
