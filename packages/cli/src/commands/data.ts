import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { renderTables } from "@tally/edge";
import {
  type DataResponse,
  digestOf,
  type JsonObject,
  parseDigest,
  type SelectedSegment,
  selectionStatement,
  utf8,
} from "@tally/evidence";
import { repositoryOf } from "../artifact.ts";
import { type Doubt, doubtsOf } from "../doubtful-segments.ts";
import { type KeyFlags, readSigningKey, withPassphrase } from "../keys/index.ts";
import { type OpenedData, openSegments } from "../open-segments.ts";
import { parseDigestOption, withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import { signAndPost } from "../post-statement.ts";
import type { Register } from "../register.ts";
import { counted, print, say, settings, usageError } from "../terminal/index.ts";
import { readTrustFile } from "../trust-file.ts";
import { dataList } from "./data-list.ts";

interface Options extends PlaneFlags, Partial<KeyFlags> {
  readonly model: string;
  readonly output: string;
  readonly labelled?: boolean;
  readonly includeRevoked?: boolean;
}

/** `tally data query`: what came back from the field under a model, every row proven. */
export const data: Register = (program, context) => {
  const { terminal } = context;
  const group = program.command("data").description("training data from the field");
  dataList(group, context);
  const query = group
    .command("query")
    .description(
      "gather what devices kept of a model's inputs, outputs and labels; every row is verified against its ledger",
    )
    .requiredOption("--model <digest>", "manifest of the model", parseDigestOption)
    .requiredOption("-o, --output <dir>", "a folder that is not there yet, or empty")
    .option("--labelled", "only rows that have a label")
    .option("--include-revoked", "also rows of ledgers whose keys are revoked or that equivocated, marked as such")
    .option("--trust <file>", "the trust file, to verify that each ledger is of an enrolled device; TALLY_TRUST")
    .option(
      "--key <key>",
      "private key of who selects: signs and posts a statement of which segments the data is from",
    );
  withJson(withPlane(withPassphrase(query))).action(async (options: Options) => {
    const model = parseDigest(options.model);
    const dir = resolve(terminal.cwd, options.output);
    await mkdir(dir, { recursive: true });
    if ((await readdir(dir)).length > 0) throw usageError(`${dir} is not empty`, "name a folder that is not there yet");
    await using key =
      options.key === undefined ? undefined : await readSigningKey(terminal, { ...options, key: options.key });
    const client = await connect(terminal, options);
    const trust =
      (await settings(terminal, options)).trust.value === undefined
        ? undefined
        : await readTrustFile(terminal, options);
    const found = await client.get<DataResponse>(`/api/v1/data?${new URLSearchParams({ model })}`);
    const doubts = await doubtsOf(client, found.segments);
    const items = found.segments.filter(({ origin }) => options.includeRevoked === true || !doubts.has(origin));
    const left = found.segments.length - items.length;
    if (left > 0) {
      const why = [...doubts].map(([origin, doubt]) => `${origin} is ${doubt}`).join(", ");
      say(terminal, `left out ${counted(left, "segment")}: ${why}; --include-revoked takes them in, marked`);
    }
    const opened = await openSegments({
      client,
      source: repositoryOf(client, found.repository),
      model,
      items,
      trust,
    });
    if (trust === undefined)
      say(terminal, "no trust file is set: that the ledgers are of enrolled devices was not verified");
    const written = await write(dir, opened, options.labelled === true, doubts);
    if (key !== undefined && opened.segments.length > 0) {
      const filters: JsonObject = options.labelled === true ? { labelled: true } : {};
      const selection = selectionStatement(written.files, { model, segments: written.segments, filters });
      const { digest, index } = await signAndPost(client, selection, key);
      say(terminal, `selection ${digest}: entry ${index} of the plane's log`);
    }
    const summary = {
      model,
      repository: found.repository,
      rows: written.rows,
      segments: written.segments,
      files: written.files,
      absent: opened.absent,
    };
    print(terminal, options.json, summary, () => written.files.map((file) => `${file.digest}  ${file.name}`));
    say(
      terminal,
      `${counted(written.rows, "row")} from ${counted(opened.segments.length, "segment")} of ${counted(opened.devices, "device")}, each proven against its ledger`,
    );
    const erased = opened.absent.filter(({ statement }) => statement !== null).length;
    if (erased > 0) say(terminal, `${counted(erased, "record")} erased, as devices have stated; --json names them`);
    const lost = opened.absent.length - erased;
    if (lost > 0) say(terminal, `${counted(lost, "captured record")} not here, and not proven to be erased`);
  });
};

async function write(
  dir: string,
  { rows: all, segments }: OpenedData,
  labelledOnly: boolean,
  doubts: ReadonlyMap<string, Doubt>,
) {
  const rows = labelledOnly ? all.filter(({ labels }) => labels.length > 0) : all;
  const kept = segments.map((segment): SelectedSegment => {
    const { manifest, origin, from, to } = segment;
    return {
      manifest,
      origin,
      from,
      to,
      rows: rows.filter((row) => row.origin === origin && row.index >= from && row.index < to).length,
    };
  });
  const texts = {
    "rows.csv": renderTables(rows, [])["records.csv"],
    "records.jsonl": rows.map((row) => `${JSON.stringify(marked(row, doubts))}\n`).join(""),
    "segments.json": `${JSON.stringify(
      kept.map((segment) => marked(segment, doubts)),
      null,
      2,
    )}\n`,
  };
  for (const [name, text] of Object.entries(texts)) await writeFile(join(dir, name), text);
  // The list of segments is in the statement itself.
  const files = (["rows.csv", "records.jsonl"] as const).map((name) => ({ name, digest: digestOf(utf8(texts[name])) }));
  return { rows: rows.length, segments: kept, files };
}

/** Says of what comes from a ledger in doubt that it does. */
function marked<T extends { readonly origin: string }>(item: T, doubts: ReadonlyMap<string, Doubt>): T {
  const standing = doubts.get(item.origin);
  return standing === undefined ? item : { ...item, standing };
}
