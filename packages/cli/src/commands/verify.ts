import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { exitCodeOf, parseTrust, type Question, type Report, verifyBundle } from "@tally/evidence";
import { questionOf } from "../question.ts";
import { reportLines } from "../report-lines.ts";
import type { Register } from "../program.ts";
import { print, required, settings } from "../terminal/index.ts";

interface Options {
  readonly trust?: string;
  readonly model?: string;
  readonly from?: string;
  readonly to?: string;
  readonly device?: string[];
  readonly at?: string;
  readonly records?: boolean;
  readonly json?: boolean;
}

/** `tally verify FILE --trust FILE`: what an evidence bundle proves, for someone who trusts only the trust file. */
export const verify: Register = (program, { terminal, finish }) => {
  program
    .command("verify")
    .description("verify an evidence bundle offline, and print the question, the answer and each check with its reason")
    .argument("<file>", "the bundle, such as answer.tally")
    .option("--trust <file>", "the trust file: all that is believed without proof")
    .option("--model <digest>", "insist on the question: this model")
    .option("--from <time>", "insist on the question: from this time")
    .option("--to <time>", "insist on the question: up to this time")
    .option("--device <id...>", "insist on the question: these devices only")
    .option("--at <time>", "judge age as of this time; the default is now")
    .option("--records", "list every record of the answer")
    .option("--json", "print JSON")
    .action(async (file: string, options: Options) => {
      const { trust } = await settings(terminal, options);
      const trustFile = parseTrust(await readFile(resolve(terminal.cwd, required(trust))));
      const expected = expectedQuestion(options);
      const report = verifyBundle({
        bundle: await readFile(resolve(terminal.cwd, file)),
        trust: trustFile,
        now: options.at === undefined ? Date.now() : Date.parse(options.at),
        ...(expected && { expected }),
      });
      print(terminal, options.json, jsonReport(report), () => reportLines(report, options.records === true));
      finish(exitCodeOf(report));
    });
};

function expectedQuestion({ model, from, to, device }: Options): Question | undefined {
  if (from === undefined && to === undefined) return undefined;
  return questionOf({ from: from ?? "", to: to ?? "", ...(model && { model }), ...(device && { device }) });
}

/** The report without bytes that JSON has no form for: a record's entry stays in the bundle. */
function jsonReport(report: Report): unknown {
  const { answer } = report;
  if (answer === null) return report;
  return {
    ...report,
    answer: {
      ...answer,
      records: answer.records.map(({ entry: _, leaf, ...record }) => ({ ...record, leaf: Buffer.from(leaf).toString("hex") })),
      refused: answer.refused.map(({ origin, index, load }) => ({ origin, index, model: load.manifest, reason: load.reason })),
    },
  };
}
