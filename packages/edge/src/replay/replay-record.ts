import { readdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, relative, sep } from "node:path";
import { type Digest, decodeTensors, mediaTypes, type NamedTensor } from "@tally/evidence";
import { EdgeError } from "../error.ts";
import { filesBeside } from "../models/loaded-model.ts";
import { type MeasuredModelFile, measureFiles } from "../models/measure.ts";
import { onnxRuntime } from "../runtime/onnx-session.ts";
import { OnnxThread } from "../runtime/onnx-thread.ts";
import { elementsOf, namedTensors, wireTensors } from "../runtime/tensors.ts";
import { runtimeName } from "../version.ts";
import { type Comparison, compareTensors, isWithin } from "./compare-tensors.ts";
import type { KeptRecord } from "./kept-record.ts";

/** A circumstance that may change the bits of an output, as it was recorded and as it is now. */
export interface Circumstance {
  readonly name: "runtime" | "provider" | "platform" | "threads";
  /** Null where no entry says. */
  readonly recorded: string | null;
  readonly now: string;
}

export interface Replayed {
  readonly verdict: "bit-equal" | "within tolerance" | "different";
  readonly comparison: Comparison;
  readonly circumstances: readonly Circumstance[];
  /** The ONNX file that ran. */
  readonly model: Digest;
}

/**
 * Runs a recorded input on the recorded model again, in this runtime, and compares.
 *
 * @param folder the model's files; the load entry decides which of them run
 * @param tolerance largest absolute or relative difference of an element that still counts as the same
 * @throws EdgeError `load-refused` where the files are not the ones that were loaded; `request-invalid` for what is no run
 *   of tensors; `runtime-failed`
 */
export async function replayRecord(
  { load, contents, index, platform }: KeptRecord,
  folder: string,
  tolerance: number,
): Promise<Replayed> {
  if (contents === undefined) throw new EdgeError("request-invalid", `nothing is kept of record ${index}`);
  for (const { mediaType } of [contents.input, contents.output]) {
    if (mediaType === mediaTypes.tensors) continue;
    throw new EdgeError("request-invalid", `record ${index} is of ${mediaType}; only runs of tensors can be replayed`);
  }
  const recorded = decodeTensors(contents.output.bytes);
  const feeds = wireTensors(Object.fromEntries(decodeTensors(contents.input.bytes).map(asFeed)));
  const files = await loadedFiles(load.files, folder);
  const [model, ...others] = files.filter(({ name }) => name.endsWith(".onnx"));
  if (model === undefined || others.length > 0) {
    throw new EdgeError("load-refused", `the load names ${files.length} files, and not exactly one of them is ONNX`);
  }
  const thread = await OnnxThread.start(model.bytes, filesBeside(model, files));
  try {
    const { outputs } = await thread.run(feeds);
    const comparison = compareTensors(recorded, namedTensors(outputs));
    const verdict = comparison.isBitEqual
      ? "bit-equal"
      : isWithin(comparison, tolerance)
        ? "within tolerance"
        : "different";
    const circumstances: Circumstance[] = [
      { name: "runtime", recorded: load.runtime, now: onnxRuntime.runtime },
      { name: "provider", recorded: load.provider, now: onnxRuntime.provider },
      { name: "platform", recorded: platform, now: runtimeName },
      { name: "threads", recorded: null, now: `the runtime's default on ${availableParallelism()} processors` },
    ];
    return { verdict, comparison, circumstances, model: model.digest };
  } finally {
    await thread.release();
  }
}

/** The files that the load entry names, by their digests, whatever else lies there. */
async function loadedFiles(
  wanted: readonly { readonly digest: Digest }[],
  folder: string,
): Promise<readonly MeasuredModelFile[]> {
  const items = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = items
    .filter((item) => item.isFile())
    .map((item) => relative(folder, join(item.parentPath, item.name)).split(sep).join("/"));
  const digests = new Set(wanted.map(({ digest }) => digest));
  const found = (await measureFiles(folder, names.sort())).filter(({ digest }) => digests.has(digest));
  const missing = [...digests].find((digest) => !found.some((file) => file.digest === digest));
  if (digests.size > 0 && missing === undefined) return found;
  throw new EdgeError(
    "load-refused",
    digests.size === 0
      ? "the load entry names no files: which model ran was declared, not measured"
      : `${folder} is not the model that was loaded: no file in it is ${missing}`,
    { hint: "give the model's own files, or let them be pulled by digest" },
  );
}

function asFeed(tensor: NamedTensor) {
  const feed = elementsOf(tensor);
  if (feed !== undefined) return [tensor.name, feed] as const;
  throw new EdgeError("request-invalid", `input ${tensor.name} is ${tensor.dtype}, which this runtime cannot be fed`);
}
