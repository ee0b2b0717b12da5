import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { EdgeError, messageOf } from "../error.ts";
import type { ExternalFile, FromWorker, ModelBytes, ToWorker, ValueShape, WireTensor } from "./onnx-protocol.ts";

interface Waiting {
  readonly resolve: (result: ThreadResult) => void;
  readonly reject: (error: EdgeError) => void;
}

/** What one run gave: the outputs and how long the model took, in microseconds, measured beside it. */
export interface ThreadResult {
  readonly outputs: readonly WireTensor[];
  readonly micros: number;
}

/** Beside this file, from source and as built. */
const workerFile = new URL(`./onnx-worker${extname(import.meta.url)}`, import.meta.url);

/**
 * One model in a thread of its own. It holds the process open only while a run is under way.
 */
export class OnnxThread {
  readonly inputs: readonly ValueShape[];
  readonly outputs: readonly ValueShape[];
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #ended: EdgeError | undefined;

  private constructor(worker: Worker, inputs: readonly ValueShape[], outputs: readonly ValueShape[]) {
    this.#worker = worker;
    this.inputs = inputs;
    this.outputs = outputs;
    worker.on("message", (message: FromWorker) => this.#receive(message));
    worker.on("error", (error) => this.#end(`the model's thread failed: ${messageOf(error)}`));
    worker.on("exit", () => this.#end("the model's thread has ended"));
    worker.unref();
  }

  /**
   * Starts the thread and gives it exactly these bytes: their memory is handed over, not read again from anywhere.
   * All of it is unusable afterwards. `external` are the files in which the model may keep weights; it gets no others.
   *
   * @throws EdgeError `runtime-failed` when ONNX Runtime does not accept the model.
   */
  static async start(model: Uint8Array<ArrayBuffer>, external: readonly ExternalFile[] = []): Promise<OnnxThread> {
    const bytes: ModelBytes = {
      model: wholeBuffer(model),
      external: external.map(({ path, data }) => ({ path, data: wholeBuffer(data) })),
    };
    const worker = new Worker(workerFile, {
      workerData: bytes,
      transferList: [bytes.model.buffer, ...bytes.external.map(({ data }) => data.buffer)],
    });
    const first = await new Promise<FromWorker>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.once("exit", () => reject(new Error("the thread ended before the model was ready")));
    }).catch((cause: unknown) => {
      throw new EdgeError("runtime-failed", `ONNX Runtime did not start: ${messageOf(cause)}`, { cause });
    });
    if (first.kind === "ready") return new OnnxThread(worker, first.inputs, first.outputs);
    const why = first.kind === "failed" ? first.message : `it answered ${first.kind}`;
    throw new EdgeError("runtime-failed", `ONNX Runtime refused the model: ${why}`, {
      hint: "check that the file is an ONNX model, and that the files it keeps weights in are packed beside it",
    });
  }

  /** Runs the model once. Runs are made one after another, in the order of the calls. */
  run(feeds: readonly WireTensor[]): Promise<ThreadResult> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.ref();
      this.#post({ kind: "run", id, feeds });
    });
  }

  /** Ends the thread and resolves when it is gone. */
  async release(): Promise<void> {
    if (this.#ended !== undefined) return;
    const gone = new Promise<void>((resolve) => this.#worker.once("exit", () => resolve()));
    this.#worker.ref();
    this.#post({ kind: "release" });
    await gone;
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromWorker): void {
    if (message.kind !== "result" && message.kind !== "error") return;
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (message.kind === "result") waiting?.resolve({ outputs: message.outputs, micros: message.micros });
    else waiting?.reject(new EdgeError("runtime-failed", `the model did not run: ${message.message}`));
  }

  #end(why: string): void {
    this.#ended ??= new EdgeError("runtime-failed", why, { hint: "load the model again" });
    for (const waiting of this.#waiting.values()) waiting.reject(this.#ended);
    this.#waiting.clear();
  }
}

/** Memory is handed over as a whole, so that bytes within a larger buffer are copied out first. */
function wholeBuffer(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}
