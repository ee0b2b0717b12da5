import { type Digest, unloadReasons } from "@tally/evidence";
import { type DeviceCore, whenRoom } from "../device-core.ts";
import { EdgeError } from "../error.ts";
import type { SyncedReceipts } from "../record.ts";
import type { LiveLoad } from "../recorder/recorder.ts";
import type { ExternalFile } from "../runtime/onnx-protocol.ts";
import { OnnxSession } from "../runtime/onnx-session.ts";
import { OnnxThread } from "../runtime/onnx-thread.ts";
import type { AcceptedModel } from "./load-guard.ts";
import type { MeasuredModelFile } from "./measure.ts";

/** A model that was verified, measured and accepted. */
export class LoadedModel {
  /** `repository:channel`, as it was asked for. */
  readonly channel: string;
  readonly manifest: Digest;
  readonly sequence: number;
  /** The envelope of the release statement. */
  readonly release: Digest;
  /** False when the plane was not reachable, and the release that was taken last holds. */
  readonly fresh: boolean;
  /** What `device.record` names. */
  readonly load: LiveLoad;
  readonly #core: DeviceCore;
  readonly #synced: SyncedReceipts;
  #files: readonly MeasuredModelFile[];
  #session: Promise<OnnxSession> | undefined;

  constructor(core: DeviceCore, accepted: AcceptedModel, synced: SyncedReceipts) {
    const { channel, manifest, sequence, release, fresh } = accepted.resolved;
    this.channel = channel;
    this.manifest = manifest;
    this.sequence = sequence;
    this.release = release;
    this.fresh = fresh;
    this.load = accepted.load;
    this.#core = core;
    this.#files = accepted.files;
    this.#synced = synced;
  }

  /**
   * The model in ONNX Runtime, on a thread of its own. It gets the very bytes that were measured. The same session for
   * every call.
   *
   * @throws EdgeError `runtime-failed`, `model-released`; `model-not-found` when not exactly one file is an ONNX model.
   */
  onnx(): Promise<OnnxSession> {
    if (this.load.unloaded) return Promise.reject(released(this.channel));
    this.#session ??= this.#start();
    return this.#session;
  }

  /** Records that the model was let go, and why, and frees it. Nothing can be recorded under it afterwards. */
  async unload(reason: keyof typeof unloadReasons = "closed"): Promise<void> {
    const { recorder } = this.#core;
    const appended = await whenRoom(this.#core, () => recorder.unload(this.load, unloadReasons[reason]));
    this.#files = [];
    await appended?.committed;
    await this.#session?.then((session) => session.release()).catch(() => {});
  }

  async #start(): Promise<OnnxSession> {
    const models = this.#files.filter(({ name }) => name.endsWith(".onnx"));
    const [model] = models;
    if (model === undefined || models.length > 1) {
      throw new EdgeError("model-not-found", `${this.channel} has ${models.length} ONNX files, not one`, {
        hint: "pack the model with exactly one .onnx file, and its external data beside it",
      });
    }
    const beside = filesBeside(model, this.#files);
    this.#files = [];
    return new OnnxSession(this.#core, await OnnxThread.start(model.bytes, beside), this.load, this.#synced);
  }
}

/** Where an ONNX file keeps weights outside of itself, it names them from its own folder. */
export function filesBeside(model: MeasuredModelFile, files: readonly MeasuredModelFile[]): readonly ExternalFile[] {
  const folder = model.name.slice(0, model.name.lastIndexOf("/") + 1);
  return files
    .filter((file) => file !== model && file.name.startsWith(folder))
    .map(({ name, bytes }) => ({ path: name.slice(folder.length), data: bytes }));
}

function released(channel: string): EdgeError {
  return new EdgeError("model-released", `${channel} was let go`, { hint: "load it again" });
}
