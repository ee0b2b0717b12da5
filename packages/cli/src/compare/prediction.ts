import type { SegmentRow } from "@tally/edge";
import type { JsonValue } from "@tally/evidence";

/** What a model's output says, as far as it has one of the forms known here. */
export interface Prediction {
  /** The class, as the output has it, or the position of the largest score. */
  readonly value: number | string | null;
  /** The largest score between 0 and 1 of a list of them; null where the output has none. */
  readonly confidence: number | null;
}

/**
 * Reads an output of named tensors as a classifier's: the one tensor with a single whole number, truth value or text is the class;
 * scores are the first floating-point tensor, all of its values between 0 and 1. Without a class the largest score stands for it,
 * and a score that stands alone is the probability of class 1 against class 0.
 */
export function predictionOf(output: JsonValue): Prediction {
  const tensors = tensorsOf(output);
  const single = tensors.find(({ type, data }) => data.length === 1 && /^(u?int|bool|string)/.test(type));
  const given = tensors.find(
    ({ type, data }) =>
      /float|double/.test(type) && data.length > 0 && data.every((x) => typeof x === "number" && x >= 0 && x <= 1),
  )?.data as readonly number[] | undefined;
  const scores = given?.length === 1 ? [1 - given[0]!, given[0]!] : given;
  const confidence = scores === undefined ? null : scores.reduce((most, score) => Math.max(most, score), 0);
  const value = single?.data[0] ?? (scores === undefined ? null : scores.indexOf(confidence!));
  return { value: typeof value === "boolean" ? Number(value) : (value ?? null), confidence };
}

/** Whether the newest label agrees with the class; null without a label or a class, or where the label has another form. */
export function labelAgrees({ labels, output }: SegmentRow): boolean | null {
  const said = labels.at(-1)?.value;
  const { value } = predictionOf(output);
  const truth = scalarOf(said);
  if (truth === undefined || value === null) return null;
  return String(truth) === String(value);
}

/** A label is a value, or an object with one. */
function scalarOf(value: JsonValue | undefined): number | string | undefined {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const fields = Object.values(value);
    return fields.length === 1 ? scalarOf(fields[0]) : undefined;
  }
  if (typeof value === "boolean") return Number(value);
  return typeof value === "number" || typeof value === "string" ? value : undefined;
}

interface Tensor {
  readonly type: string;
  readonly data: readonly (number | string | boolean)[];
}

function tensorsOf(output: JsonValue): readonly Tensor[] {
  if (typeof output !== "object" || output === null || Array.isArray(output)) return [];
  return Object.values(output).flatMap((tensor) => {
    if (typeof tensor !== "object" || tensor === null || Array.isArray(tensor)) return [];
    const { type, data } = tensor as { type?: unknown; data?: unknown };
    return typeof type === "string" && Array.isArray(data) ? [{ type, data: data as Tensor["data"] }] : [];
  });
}
