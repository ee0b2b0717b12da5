import type { Report } from "@tally/evidence";
import { deviceId } from "./question.ts";
import { usageError } from "./terminal/index.ts";

/** `<device id>/<index>`, or `<origin> #<index>` as reports write it. */
export function recordOf(text: string): { device: string; index: number } {
  const [, device, index] = /^(.+?)(?:\/| ?#)(\d{1,15})$/.exec(text) ?? [];
  if (device === undefined)
    throw usageError(`${text} names no record and no artifact`, "write DEVICE/INDEX, such as 0f…9a/12, or sha256:…");
  return { device: deviceId(device), index: Number(index) };
}

/** A plane that answers about another record has not answered. @throws CliError usage */
export function requireAnswerTo(question: Report["question"], device: string, index: number): void {
  const same = question?.kind === "record" && question.index === index && question.origin.includes(`/d/${device}/`);
  if (question !== null && !same)
    throw usageError(
      "the plane answered another question than was asked",
      "ask again; if it stays so, do not rely on this plane",
    );
}
