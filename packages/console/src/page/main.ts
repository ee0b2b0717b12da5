import type { Failure, Summary } from "../worker/messages.ts";
import { checks } from "./checks.ts";
import { counts } from "./counts.ts";
import { devices, refusedLoads } from "./devices.ts";
import { byId, type Content, element } from "./element.ts";
import { type ChosenFiles, takeFiles } from "./files.ts";
import { models } from "./models.ts";
import { Progress } from "./progress.ts";
import { question } from "./question.ts";
import { records } from "./records.ts";
import { trust } from "./trust.ts";
import { refusal, verdict } from "./verdict.ts";
import { Verifier } from "./verifier.ts";

const script = byId("worker", HTMLScriptElement).textContent;
const report = byId("report", HTMLElement);
const progress = new Progress();
let verifier: Verifier | undefined;

function show(parts: readonly Content[]): void {
  progress.end();
  report.replaceChildren(element("div", {}, ...parts));
  const title = byId("verdict-title", HTMLElement);
  document.title = `${title.textContent}: Tally, verify an evidence bundle`;
  title.focus();
}

function showReport(summary: Summary, by: Verifier): void {
  const { answer } = summary;
  show([
    verdict(summary),
    contents(answer),
    question(summary),
    answer === null
      ? null
      : answer.summary !== null
        ? [counts(answer.summary), devices(answer.ledgers)]
        : [models(answer.models), devices(answer.ledgers), refusedLoads(answer.refused), records(answer, by)],
    checks(summary.checks),
    trust(summary),
  ]);
}

/** The way to the parts of a long report. */
function contents(answer: Summary["answer"]): HTMLElement {
  const answered = answer?.summary ? ["Counts", "Devices"] : ["Models", "Devices", "Records"];
  const parts = answer === null ? ["Checks"] : ["Question", ...answered, "Checks"];
  const links = parts.map((name) => element("a", { href: `#${name.toLowerCase()}` }, name));
  return element(
    "nav",
    { class: "contents", "aria-label": "Parts of the report" },
    ...links,
    element("a", { href: "#trust" }, "What this rests on"),
  );
}

async function verify(files: ChosenFiles): Promise<void> {
  verifier?.stop();
  report.replaceChildren();
  progress.begin();
  const mine = new Verifier(script, {
    progress: (done, of, made) => progress.show(done, of, made),
    verified: (summary) => showReport(summary, mine),
    failed: (failure: Failure) => show([refusal(failure)]),
  });
  verifier = mine;
  try {
    const trustFile = await files.trust.arrayBuffer();
    if (verifier === mine) mine.verify(files.bundle, trustFile, Date.now());
  } catch (error) {
    if (verifier === mine) show([refusal({ file: null, message: `A file cannot be read: ${error}`, hint: null })]);
  }
}

/** A copy that a plane served says what that plane wants. */
function sayWhereFrom(): void {
  const served = location.protocol !== "file:";
  document.body.classList.add(served ? "served" : "own-copy");
  byId("where-from", HTMLElement).textContent = served
    ? `This copy was served by ${location.host}, which could have changed it. To rely on what it says, use your own copy.`
    : "This copy was opened from disk. It is as good as the place you got it from.";
}

sayWhereFrom();
if (!("fromBase64" in Uint8Array)) {
  show([
    refusal({
      file: null,
      message: "This browser is too old: it lacks Uint8Array.fromBase64.",
      hint: "Chrome and Edge from 140, Firefox from 133 and Safari from 18.2 have it.",
    }),
  ]);
} else takeFiles((files) => void verify(files));
