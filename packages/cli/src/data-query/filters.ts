import { createHash } from "node:crypto";
import type { SegmentRow } from "@tally/edge";
import type { JsonObject } from "@tally/evidence";
import { InvalidArgumentError } from "commander";
import { predictionOf } from "../compare/prediction.ts";

/** Both ends belong to it. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** So many rows, or a share of them. */
export type SampleSize = { readonly rows: number } | { readonly share: number };

/** Which of the rows that were verified go into the set. */
export interface RowFilters {
  readonly labelled: boolean;
  /** Of `predictionOf`; rows without one are left out. */
  readonly confidence: Range | undefined;
  readonly sample: { readonly size: SampleSize; readonly seed: string } | undefined;
}

/** `0.5..0.8`, `..0.6`, `0.9..` */
export function parseRange(text: string): Range {
  const [, from = "", to = ""] = /^(\d*\.?\d*)\.\.(\d*\.?\d*)$/.exec(text) ?? [];
  const range = { from: from === "" ? 0 : Number(from), to: to === "" ? 1 : Number(to) };
  if ((from === "" && to === "") || !(range.from >= 0 && range.from <= range.to && range.to <= 1)) {
    throw new InvalidArgumentError("Write 0.5..0.8, ..0.6 or 0.9.., between 0 and 1.");
  }
  return range;
}

/** `1000`, `5%` */
export function parseSample(text: string): SampleSize {
  const percent = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text)?.[1];
  if (percent !== undefined && Number(percent) > 0 && Number(percent) <= 100) return { share: Number(percent) / 100 };
  if (/^[1-9]\d{0,11}$/.test(text)) return { rows: Number(text) };
  throw new InvalidArgumentError("Write a number of rows, or a share such as 5%.");
}

/** Whether a row goes in, before a sample is drawn of those that do. */
export function isWanted(row: SegmentRow, { labelled, confidence }: RowFilters): boolean {
  if (labelled && row.labels.length === 0) return false;
  if (confidence === undefined) return true;
  const value = predictionOf(row.output).confidence;
  return value !== null && value >= confidence.from && value <= confidence.to;
}

/**
 * A row's place in the order by which samples are drawn, as 16 hex digits: SHA-256 of seed and key. It depends on nothing else, so
 * that a sample can be drawn again, and a larger one holds the smaller.
 */
export function sampleKey(
  seed: string,
  { origin, index, leaf }: Pick<SegmentRow, "origin" | "index" | "leaf">,
): string {
  return createHash("sha256")
    .update(JSON.stringify([seed, origin, index, leaf]))
    .digest("hex")
    .slice(0, 16);
}

/** The filters as the signed statement says them. */
export function filtersAsJson(
  { labelled, confidence, sample }: RowFilters,
  more: {
    readonly groups: readonly string[];
    readonly includeRevoked: boolean;
    readonly includeQuarantined: boolean;
    /** Statements that something was left out by. */
    readonly withoutQuarantined: readonly string[];
  },
): JsonObject {
  return {
    ...(labelled ? { labelled } : {}),
    ...(confidence === undefined ? {} : { confidence: { from: confidence.from, to: confidence.to } }),
    ...(sample === undefined ? {} : { sample: { ...sample.size, seed: sample.seed } }),
    ...(more.groups.length === 0 ? {} : { groups: [...more.groups] }),
    ...(more.includeRevoked ? { includeRevoked: true } : {}),
    ...(more.includeQuarantined ? { includeQuarantined: true } : {}),
    ...(more.withoutQuarantined.length === 0 ? {} : { withoutQuarantined: [...more.withoutQuarantined] }),
  };
}
