import { resolve } from "node:path";
import { exitCodeOf, type Question, verifyRecords } from "@tally/evidence";
import { openFileSource } from "../file-source.ts";
import { collect } from "../options.ts";
import { questionOf, timeOf } from "../question.ts";
import type { Register } from "../register.ts";
import { reportJsonText } from "../report-json.ts";
import { reportLines, reportTextWithRecords } from "../report-lines.ts";
import { escapedJson, print, printLine, usageError } from "../terminal/index.ts";
import { readTrustFile, trusting } from "../trust-file.ts";
import { isFolder, verifyFolder } from "../verify-folder.ts";

interface Options {
  readonly trust?: string;
  readonly model?: string;
  readonly from?: string;
  readonly to?: string;
  readonly device?: string[];
  readonly summary?: boolean;
  readonly full?: boolean;
  readonly at?: string;
  readonly records?: boolean;
  readonly evidence?: readonly string[];
  readonly identity?: readonly string[];
  readonly json?: boolean;
}

/** `tally verify FILE --trust FILE`: what an evidence bundle proves, for someone who trusts only the trust file. */
export const verify: Register = (program, { terminal, finish }) => {
  program
    .command("verify")
    .summary("verify an answer offline, with a trust file")
    .description("verify an evidence bundle offline, and print the question, the answer and each check with its reason")
    .argument("<file>", "the bundle, such as answer.tally, or the folder of an unpacked segment")
    .option("--trust <file>", "the trust file: all that is believed without proof")
    .option("--model <digest>", "insist on the question: this model")
    .option("--from <time>", "insist on the question: from this time")
    .option("--to <time>", "insist on the question: up to this time")
    .option("--device <id>", "insist on the question: this device only (repeatable)", collect)
    .option("--summary", "insist on the question: counts alone")
    .option("--full", "insist on every entry: an answer that leaves out any and relies on counts is not proven")
    .option("--at <time>", "judge age as of this time; the default is now")
    .option("--records", "list every record of the answer")
    .option("--evidence <file>", "of a folder: an answer or a receipt with its records (repeatable)", collect)
    .option(
      "--identity <file>",
      "of a folder: age identity of a recipient, where it is encrypted (repeatable)",
      collect,
    )
    .option("--json", "print JSON")
    .action(async (file: string, options: Options) => {
      if (await isFolder(resolve(terminal.cwd, file))) {
        finish(await verifyFolder(terminal, file, options));
        return;
      }
      const trust = await readTrustFile(terminal, options);
      const expected = expectedQuestion(options);
      await using source = await openFileSource(resolve(terminal.cwd, file));
      const { report, records } = await verifyRecords({
        bundle: source,
        ...(await trusting(trust)),
        requireFull: options.full === true,
        now: options.at === undefined ? Date.now() : timeOf("--at", options.at),
        holdRecords: 0,
        ...(expected && { expected }),
      });
      if (options.json)
        for await (const text of reportJsonText(report, records)) terminal.stdout.write(escapedJson(text));
      else if (options.records)
        for await (const line of reportTextWithRecords(report, records)) printLine(terminal, line);
      else print(terminal, false, report, () => reportLines(report));
      finish(exitCodeOf(report));
    });
};

function expectedQuestion({ model, from, to, device, summary }: Options): Question | undefined {
  if (from === undefined && to === undefined) {
    if (model === undefined && device === undefined && summary !== true) return undefined;
    throw usageError(
      "--model, --device and --summary insist on a question only together with its times",
      "give --from and --to as well",
    );
  }
  const flags = { from: from ?? "", to: to ?? "", ...(model && { model }), ...(device && { device }) };
  return questionOf(flags, summary === true ? "summary" : "records");
}
