import type { Check } from "@tally/evidence";
import { element, section } from "./element.ts";
import { count, counted } from "./wording.ts";

/** Checks of one name that are shown before the reader asks for more. */
const shownAtFirst = 100;

/** Every check with its reason: what is not good first and open, what is good by name. */
export function checks(made: readonly Check[]): HTMLElement {
  const bad = made.filter(({ result }) => result === "bad");
  const missing = made.filter(({ result, required }) => result === "not made" && required);
  const skipped = made.filter(({ result, required }) => result === "not made" && !required);
  const good = Map.groupBy(
    made.filter(({ result }) => result === "good"),
    ({ name }) => name,
  );
  return section(
    "checks",
    "Checks",
    bad.length === 0 ? null : group("Bad", "bad", bad, true),
    missing.length === 0 ? null : group("Not made, and needed", "open", missing, true),
    skipped.length === 0 ? null : group("Not made, and not needed", "none", skipped, true),
    [...good].map(([name, alike]) => group(name, "good", alike, false)),
  );
}

type Tone = "good" | "bad" | "open" | "none";

const words: Record<Tone, string> = { good: "good", bad: "bad", open: "not made", none: "not made" };

function group(title: string, tone: Tone, alike: readonly Check[], open: boolean): HTMLElement {
  const [only = null] = alike.length === 1 ? alike : [];
  const lines = element("ul", { class: "check-list" });
  const made = element(
    "details",
    { class: `check ${tone}` },
    element(
      "summary",
      {},
      element("span", { class: `badge ${tone}` }, words[tone]),
      element("span", { class: "check-name" }, only?.name ?? title),
      only !== null && open
        ? null
        : element("span", { class: "quiet" }, only?.reason ?? counted(alike.length, "check")),
    ),
    lines,
  );
  // Thousands of lines are only made when someone looks.
  const fill = () => {
    if (lines.childElementCount === 0) addLines(lines, alike, tone !== "good" && only === null);
  };
  made.addEventListener("toggle", fill);
  if (open) {
    fill();
    made.open = true;
  }
  return made;
}

function addLines(lines: HTMLElement, alike: readonly Check[], named: boolean): void {
  const from = lines.childElementCount;
  lines.append(...alike.slice(from, from + shownAtFirst).map((check) => line(check, named)));
  const left = alike.length - lines.childElementCount;
  if (left <= 0) return;
  const more = element("button", { type: "button" }, `Show more of ${count(left)}`);
  more.addEventListener("click", () => {
    more.remove();
    addLines(lines, alike, named);
  });
  lines.after(more);
}

function line({ name, about, reason }: Check, named: boolean): HTMLElement {
  return element(
    "li",
    {},
    named ? element("strong", {}, `${name} `) : null,
    element("span", { class: "about" }, about),
    element("span", { class: "reason" }, reason),
  );
}
