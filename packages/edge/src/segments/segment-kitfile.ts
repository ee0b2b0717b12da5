import {
  type CborValue,
  type Digest,
  type Inference,
  isCborList,
  type JsonObject,
  parameterCodes,
} from "@tally/evidence";
import type { Kitfile } from "@tally/oci";
import type { PlacedEntry } from "./build-rows.ts";
import type { Recipient } from "./recipients.ts";
import type { SegmentRow } from "./row.ts";

/** What a segment's Kitfile tells tools of it; nothing that is proven relies on it. */
export interface SegmentDescription {
  readonly origin: string;
  readonly model: Digest;
  /** Entries [from, to). */
  readonly from: number;
  readonly to: number;
  readonly rows: readonly SegmentRow[];
  /** Records of the range; those without a row are left out of what is said. */
  readonly records: readonly PlacedEntry<Inference>[];
  /** To whom it is encrypted; nobody where it is in the clear. */
  readonly recipients: readonly Recipient[];
}

/** More values than these of one parameter are told as a range. */
const mostValues = 16;

export function segmentKitfile({ origin, model, from, to, rows, records, recipients }: SegmentDescription): Kitfile {
  const isSealed = recipients.length > 0;
  const shown = new Set(rows.map(({ index }) => index));
  const entries = records.filter(({ index }) => shown.has(index)).map(({ entry }) => entry);
  const inference = inferenceParameters(entries);
  return {
    manifestVersion: "1.0.0",
    package: { name: "segment", description: "Records of one model from one range of one device ledger" },
    datasets: [
      {
        name: "records",
        path: "data",
        description: isSealed
          ? "Inputs, outputs and labels, encrypted to the recipients that the parameters name"
          : "Inputs, outputs and labels, one row per record, with the payloads they are rendered from",
        parameters: {
          origin,
          device: origin.split("/").at(-2) ?? origin,
          from,
          to,
          model,
          rows: rows.length,
          ...(entries.length > 0 && { deviceTime: timeRange(entries) }),
          ...(Object.keys(inference).length > 0 && { inference }),
          ...(isSealed && { recipients: recipients.map(({ name, key }) => ({ name, key })) }),
        },
      },
      ...(isSealed
        ? [{ name: "keys", path: "keys", description: "A key for each data subject, encrypted to the recipients" }]
        : []),
    ],
    docs: [{ path: "proof", description: "Proof that the rows are in the device's signed ledger" }],
  };
}

/** First and last time that the device's own clock said; brackets of what is proven come from the plane's log. */
function timeRange(entries: readonly Inference[]): JsonObject {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { time } of entries) [first, last] = [Math.min(first, time), Math.max(last, time)];
  return { from: new Date(first).toISOString(), to: new Date(last).toISOString() };
}

/** The values that each parameter had, sorted: `{"temperature":[0,0.7]}`, or `{"seed":{"from":1,"to":90,"values":90}}`. */
function inferenceParameters(entries: readonly Inference[]): JsonObject {
  const found: Record<string, JsonObject | number[]> = {};
  for (const [name, code] of Object.entries(parameterCodes)) {
    const values = new Set(entries.flatMap(({ parameters }) => numberOf(parameters?.get(code)) ?? []));
    const sorted = [...values].sort((a, b) => a - b);
    if (sorted.length > mostValues) found[name] = { from: sorted[0]!, to: sorted.at(-1)!, values: sorted.length };
    else if (sorted.length > 0) found[name] = sorted;
  }
  return found;
}

/** Commitments to values that could identify are left out. */
function numberOf(value: CborValue | undefined): number | undefined {
  if (typeof value === "number") return value;
  if (!isCborList(value)) return undefined;
  const [exponent, mantissa] = value;
  return typeof exponent === "number" && typeof mantissa === "number" ? Number(`${mantissa}e${exponent}`) : undefined;
}
