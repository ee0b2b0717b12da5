import { encodeTensors, equalBytes, type NamedTensor } from "@tally/evidence";
import { tensorValues } from "../runtime/tensor-values.ts";

/** How far one output lies from what was recorded. */
export interface TensorDifference {
  readonly name: string;
  /** Elements whose bits differ. */
  readonly differing: number;
  readonly elements: number;
  /** Largest difference; infinite where one is no number and the other is, or where they cannot be subtracted. */
  readonly maxAbsolute: number;
  /** Largest difference divided by the recorded magnitude; infinite where that is 0. */
  readonly maxRelative: number;
}

/** Whether outputs are the recorded ones, bit for bit, and where not, how far off each tensor is. */
export interface Comparison {
  readonly isBitEqual: boolean;
  /** Tensors that differ. Empty where names, types or shapes are others: then nothing can be subtracted. */
  readonly differences: readonly TensorDifference[];
  /** Names, types or shapes are not the recorded ones; why. */
  readonly mismatch: string | null;
}

export function compareTensors(recorded: readonly NamedTensor[], now: readonly NamedTensor[]): Comparison {
  if (equalBytes(encodeTensors(recorded), encodeTensors(now))) {
    return { isBitEqual: true, differences: [], mismatch: null };
  }
  const byName = new Map(now.map((tensor) => [tensor.name, tensor]));
  const mismatch = mismatchOf(recorded, byName);
  if (mismatch !== null) return { isBitEqual: false, differences: [], mismatch };
  const differences = recorded.map((tensor) => differenceOf(tensor, byName.get(tensor.name)!));
  return { isBitEqual: false, differences: differences.filter(({ differing }) => differing > 0), mismatch: null };
}

/** Whether each difference is within either bound. */
export function isWithin({ mismatch, differences }: Comparison, tolerance: number): boolean {
  return (
    mismatch === null &&
    differences.every(({ maxAbsolute, maxRelative }) => Math.min(maxAbsolute, maxRelative) <= tolerance)
  );
}

function mismatchOf(recorded: readonly NamedTensor[], now: ReadonlyMap<string, NamedTensor>): string | null {
  for (const tensor of recorded) {
    const { name, dtype } = tensor;
    const other = now.get(name);
    if (other === undefined) return `output ${name} is not there`;
    if (other.dtype !== dtype) return `output ${name} is ${other.dtype}, recorded as ${dtype}`;
    const [is, was] = [shapeOf(other), shapeOf(tensor)];
    if (is !== was) return `output ${name} has shape ${is}, recorded as ${was}`;
  }
  return now.size === recorded.length ? null : "there are more outputs than were recorded";
}

function shapeOf(tensor: NamedTensor): string {
  return "dims" in tensor ? `[${tensor.dims.join(", ")}]` : tensor.dtype;
}

function differenceOf(recorded: NamedTensor, now: NamedTensor): TensorDifference {
  const [before, after] = [valuesOf(recorded), valuesOf(now)];
  const { name } = recorded;
  if (before === undefined || after === undefined) {
    const same = equalBytes(encodeTensors([recorded]), encodeTensors([now]));
    const far = same ? 0 : Number.POSITIVE_INFINITY;
    return { name, differing: same ? 0 : 1, elements: 1, maxAbsolute: far, maxRelative: far };
  }
  let [differing, maxAbsolute, maxRelative] = [0, 0, 0];
  before.forEach((was, i) => {
    const is = after[i]!;
    if (Object.is(was, is)) return;
    differing += 1;
    const [absolute, relative] = distance(was, is);
    maxAbsolute = Math.max(maxAbsolute, absolute);
    maxRelative = Math.max(maxRelative, relative);
  });
  return { name, differing, elements: before.length, maxAbsolute, maxRelative };
}

function distance(was: number | string, is: number | string): readonly [absolute: number, relative: number] {
  const far = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] as const;
  if (typeof was === "string" || typeof is === "string") return far;
  const absolute = Math.abs(was - is);
  if (Number.isNaN(absolute)) return far;
  return [absolute, absolute === 0 ? 0 : absolute / Math.abs(was)];
}

/** Elements as numbers, or texts; undefined for types that have neither here. */
function valuesOf(tensor: NamedTensor): readonly (number | string)[] | undefined {
  return tensorValues(tensor)?.data.map((value) => (typeof value === "bigint" ? Number(value) : value));
}
