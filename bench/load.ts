import { randomBytes } from "node:crypto";
import type { DeclaredModel, Device, RecordRequest } from "@tally/edge";

const mediaType = "application/octet-stream";

/** Random contents of that many bytes, to be used in turn. */
export function contents(count: number, bytes: number): readonly Uint8Array[] {
  return Array.from({ length: count }, () => new Uint8Array(randomBytes(bytes)));
}

/** Calls that record 1 KiB in and 1 KiB out. Without a manifest, so that an answer needs no statements. */
export async function recorderOf(device: Device, input: readonly Uint8Array[], output: readonly Uint8Array[]) {
  const model: DeclaredModel = await device.declare({ grade: "declared", runtime: "bench 1", provider: "cpu" });
  return (n: number) => {
    const request: RecordRequest = {
      model,
      input: { mediaType, bytes: input[n % input.length]! },
      output: { mediaType, bytes: output[n % output.length]! },
      durationMicros: 1000,
    };
    return device.record(request);
  };
}
