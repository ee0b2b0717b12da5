import type { Failure, Summary } from "../worker/messages.ts";
import { type Content, element } from "./element.ts";
import { count, counted } from "./wording.ts";

type Tone = "good" | "bad" | "open";

const words = {
  good: ["good", "Good", "Every required check held. The answer below follows from the two files alone."],
  bad: ["bad", "Bad", "A required check failed, or someone signed two histories. Do not rely on the answer."],
  "not proven": ["open", "Not proven", "Nothing failed, but something that the answer needs is missing."],
} as const satisfies Record<Summary["outcome"], readonly [Tone, string, string]>;

/** What it all comes to, in one glance. */
export function verdict(summary: Summary): HTMLElement {
  const { outcome, checks, damage, milliseconds } = summary;
  if (damage !== null) return damaged(summary, damage);
  const [tone, title, meaning] = words[outcome];
  const tally = (result: string) => checks.filter((check) => check.result === result).length;
  const made = `${counted(tally("good"), "check")} good, ${count(tally("bad"))} bad, ${count(tally("not made"))} not made, in ${(milliseconds / 1000).toFixed(1)} s.`;
  const failed = checks.filter(
    ({ result, required }) => required && result === (outcome === "bad" ? "bad" : "not made"),
  );
  const shown = 5;
  return banner(tone, title, [
    element("p", {}, meaning),
    element("p", { class: "quiet" }, made),
    element(
      "ul",
      { class: "reasons" },
      failed
        .slice(0, shown)
        .map((check) => element("li", {}, element("strong", {}, check.name), ` of ${check.about}: ${check.reason}`)),
      failed.length > shown ? element("li", {}, `${count(failed.length - shown)} more under Checks`) : null,
    ),
  ]);
}

/** Why nothing was verified. */
export function refusal({ file, message, hint }: Failure): HTMLElement {
  const [title, next] =
    file === "trust"
      ? ["The trust file cannot be read", "Nothing was verified. Choose another trust file."]
      : [
          "The verification stopped",
          "Nothing is proven. The command line verifies the same files with `tally verify`.",
        ];
  return banner("bad", title, [
    element("p", { class: "reasons" }, message),
    hint === null ? null : element("p", {}, hint),
    element("p", { class: "quiet" }, next),
  ]);
}

function damaged({ bundle }: Summary, damage: NonNullable<Summary["damage"]>): HTMLElement {
  const share = bundle.size === 0 ? 0 : Math.min(damage.offset / bundle.size, 1);
  const mark = element("span", { class: "mark" });
  mark.style.setProperty("--at", `${share * 100}%`);
  return banner("bad", "Not valid: the file is damaged", [
    element("p", { class: "reasons" }, damage.what),
    element("div", { class: "place-in-file", "aria-hidden": "true" }, mark),
    element("p", {}, `The first thing that differs begins at byte ${count(damage.offset)} of ${count(bundle.size)}.`),
    element(
      "p",
      { class: "quiet" },
      "The file was altered or cut after it was written, or is no evidence bundle. Get it again from where it came from. Nothing in it was used.",
    ),
  ]);
}

function banner(tone: Tone, title: string, contents: readonly Content[]): HTMLElement {
  const heading = element("h2", { id: "verdict-title", tabindex: -1 }, title);
  return element(
    "section",
    { id: "verdict", class: `verdict ${tone}`, "aria-labelledby": "verdict-title" },
    heading,
    ...contents,
  );
}
