import { type IntervalQuestion, parseDigest } from "@tally/evidence";
import { CliError, exitCodes } from "./terminal/index.ts";

export interface QuestionFlags {
  readonly model?: string | undefined;
  readonly from: string;
  readonly to: string;
  readonly device?: readonly string[];
}

/** The question that `--model`, `--from`, `--to` and `--device` ask. @throws CliError usage naming the flag. */
export function questionOf(flags: QuestionFlags, kind: IntervalQuestion["kind"] = "records"): IntervalQuestion {
  const { model, from, to, device } = flags;
  const question: IntervalQuestion = {
    kind,
    model: model === undefined ? null : parseDigest(model),
    from: timeOf("--from", from),
    to: timeOf("--to", to),
    devices: device === undefined || device.length === 0 ? null : [...new Set(device.map(deviceId))].sort(),
  };
  if (question.from >= question.to)
    throw usage(`--from ${from} is not before --to ${to}`, "the interval is [from, to)");
  return question;
}

/** Milliseconds of an ISO 8601 time, a date, or a number of milliseconds. */
export function timeOf(flag: string, text: string): number {
  const time = /^\d{10,}$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isNaN(time))
    throw usage(`${flag} ${text || "(missing)"} is no time`, "write 2026-01-31, 2026-01-31T12:00:00Z, or milliseconds");
  return time;
}

/** A device's id: 32 hex digits, also as part of an origin. */
export function deviceId(text: string): string {
  const id = /(?:^|\/d\/)([0-9a-f]{32})(?:\/\d+)?$/.exec(text)?.[1];
  if (id === undefined)
    throw usage(
      // Two ids with a newline between them are what a pipe gives for a device with two epochs; a message has one line.
      `${text.trim().replace(/\s+/g, " ") || "(missing)"} is no device id`,
      "it has 32 hex digits; `tally device status` lists them",
    );
  return id;
}

function usage(message: string, hint: string): CliError {
  return new CliError(exitCodes.usage, message, { hint });
}
