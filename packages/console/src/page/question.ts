import type { Question } from "@tally/evidence";
import type { Summary } from "../worker/messages.ts";
import { type Content, element, fieldList, section } from "./element.ts";
import { code, time } from "./wording.ts";

/** What was asked. The page cannot know what the reader meant; it shows what the file answers. */
export function question({ question: asked, asOf, timeLabel, checks, answer }: Summary): HTMLElement | null {
  if (asked === null) return null;
  const times =
    timeLabel === "witnessed"
      ? "proven by the witnesses that your trust file asks for"
      : "the plane's own word: no outside witness was asked for";
  return section(
    "question",
    "Question",
    element("p", { class: "lead" }, sentence(asked)),
    fieldList([
      ...fields(asked),
      ["As of", time(asOf, "not proven")],
      ["Times", timeLabel === null ? "not proven" : times],
      ...(answer?.reliesOn ?? []).map((line) => ["Relies on", line] as const),
    ]),
    checks.some(({ name, result }) => name === "question" && result === "not made")
      ? element("p", { class: "quiet" }, "Is it what you asked? A file can answer a narrower question truthfully.")
      : null,
  );
}

function sentence(asked: Question): string {
  if (asked.kind === "record") return "Which model made this record, and what is proven of it?";
  const model = asked.model === null ? "any model" : "this model";
  const devices = asked.devices === null ? "on every device" : "on these devices";
  const what = asked.kind === "summary" ? "How many" : "Which";
  return `${what} records did ${model} make ${devices} between these times?`;
}

function fields(asked: Question): readonly (readonly [string, Content])[] {
  if (asked.kind === "record") {
    return [
      ["Ledger", code(asked.origin)],
      ["Entry", String(asked.index)],
    ];
  }
  return [
    ["Model", asked.model === null ? "any" : code(asked.model)],
    [
      "Devices",
      asked.devices === null ? "all that were ever admitted" : asked.devices.map((id) => element("div", {}, code(id))),
    ],
    ["From", time(asked.from)],
    ["To", `${time(asked.to)}, not included`],
  ];
}
