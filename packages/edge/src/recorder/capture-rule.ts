import { decodeJson, decodeTensors, EvidenceError, mediaTypes } from "@tally/evidence";
import type { CanonicalContent } from "../content.ts";
import { tensorValues } from "../runtime/tensor-values.ts";

/** Which outputs are kept with their inputs: those of which a number lies within bounds, as unsure results do. */
export interface CaptureRule {
  /** Name of the output tensor, or of the member of a JSON object. */
  readonly output: string;
  /** Inclusive; left out, there is no such bound. */
  readonly from?: number;
  readonly to?: number;
}

/** Whether any element of the output that the rule names lies within its bounds. What is no number matches nothing. */
export function matchesRule({ output, from, to }: CaptureRule, { mediaType, bytes }: CanonicalContent): boolean {
  const isWithin = (value: unknown) =>
    (typeof value === "number" || typeof value === "bigint") &&
    Number(value) >= (from ?? Number.NEGATIVE_INFINITY) &&
    Number(value) <= (to ?? Number.POSITIVE_INFINITY);
  try {
    if (mediaType === mediaTypes.tensors) {
      const tensor = decodeTensors(bytes).find(({ name }) => name === output);
      return tensor !== undefined && (tensorValues(tensor)?.data.some(isWithin) ?? false);
    }
    if (mediaType !== mediaTypes.json) return false;
    const value = decodeJson(bytes);
    return (
      typeof value === "object" &&
      value !== null &&
      !Array.isArray(value) &&
      isWithin((value as Record<string, unknown>)[output])
    );
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return false;
  }
}
