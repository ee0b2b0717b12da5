import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  describeQuestion,
  digestOf,
  exitCodeOf,
  readBundle,
  recordProof,
  type Trust,
  utf8,
  verifyBundle,
  verifyCoseReceipt,
} from "@tally/evidence";
import { Option } from "commander";
import { withJson, withPlane } from "../options.ts";
import { connect, type PlaneClient, type PlaneFlags } from "../plane-client.ts";
import { recordOf, requireAnswerTo } from "../record-place.ts";
import type { Register } from "../register.ts";
import { checkLines } from "../report-lines.ts";
import { print, say } from "../terminal/index.ts";
import { readTrustFile, trusting } from "../trust-file.ts";

const formats = ["bundle", "tlog-proof", "scitt"] as const;

interface Options extends PlaneFlags {
  readonly format: (typeof formats)[number];
  readonly output: string;
}

/** `tally receipt DEVICE/INDEX -o FILE`: one record with its proof, verified before it is written, in the form that is asked for. */
export const receipt: Register = (program, { terminal, finish }) => {
  const command = program
    .command("receipt")
    .summary("get one record's receipt as a file")
    .description("get one record's receipt as a file: as evidence bundle, or in a form that others' tools read")
    .argument("<record>", "DEVICE/INDEX")
    .option("--trust <file>", "the trust file that it is verified with; TALLY_TRUST")
    .addOption(
      new Option("--format <form>", "everything that proves it (bundle), C2SP tlog-proof, or RFC 9942 COSE (scitt)")
        .choices(formats)
        .default("bundle"),
    )
    .requiredOption("-o, --output <file>", "the file to write");
  withJson(withPlane(command)).action(async (what: string, options: Options) => {
    const { device, index } = recordOf(what);
    const trust = await readTrustFile(terminal, options);
    const client = await connect(terminal, options);
    const bundle = await client.bytes(`/api/v1/receipts/${device}/${index}`);
    const report = await verifyBundle({ bundle, ...(await trusting(trust)), now: Date.now() });
    requireAnswerTo(report.question, device, index);
    if (report.outcome !== "good" || report.question === null) {
      print(terminal, options.json, report, () => checkLines(report));
      say(terminal, "nothing is written: the receipt does not hold");
      finish(exitCodeOf(report));
      return;
    }
    const bytes = await inFormat(options.format, bundle, client, `${device}/${index}`, trust);
    const path = resolve(terminal.cwd, options.output);
    await writeFile(path, bytes);
    const { format } = options;
    const made = { question: describeQuestion(report.question), format, file: path, bytes: bytes.length };
    print(terminal, options.json, { ...made, digest: digestOf(bytes), timeLabel: report.timeLabel }, () => [
      digestOf(bytes),
    ]);
    say(
      terminal,
      `verified; ${report.timeLabel === "witnessed" ? "witnessed" : "unwitnessed: its time is the plane's word"}`,
    );
  });
};

async function inFormat(
  format: Options["format"],
  bundle: Uint8Array,
  client: PlaneClient,
  record: string,
  trust: Trust,
): Promise<Uint8Array> {
  if (format === "bundle") return bundle;
  const { text, entry } = recordProof(await readBundle(bundle));
  if (format === "tlog-proof") return utf8(text);
  const receipt = await client.bytes(`/api/v1/receipts/${record}?format=scitt`);
  const [key] = trust.plane.log.filter(({ type }) => type === 1);
  // Signed by the same key as the plane's checkpoints, so the trust file has it.
  if (key !== undefined) verifyCoseReceipt(receipt, entry, key.publicKey);
  return receipt;
}
