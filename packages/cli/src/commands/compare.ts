import {
  type DataResponse,
  type Digest,
  exitCodeOf,
  type RecordPages,
  type Report,
  type Trust,
  verifyRecords,
} from "@tally/evidence";
import { modelNamed, repositoryOf } from "../artifact.ts";
import {
  type Disclosed,
  discloses,
  type FigureName,
  type Figures,
  figureNames,
  figuresOf,
  recordsBehind,
} from "../compare/figures.ts";
import { openSegments } from "../open-segments.ts";
import { collect, withJson, withPlane } from "../options.ts";
import { connect, type PlaneClient, type PlaneFlags } from "../plane-client.ts";
import { wordsOf } from "../quarantine/honoured.ts";
import { questionOf } from "../question.ts";
import type { Register } from "../register.ts";
import { checkLines } from "../report-lines.ts";
import { CliError, counted, print, printLine, say, type Terminal, table, usageError } from "../terminal/index.ts";
import { readTrustFile, trusting } from "../trust-file.ts";
import { readIdentities } from "../verify-folder.ts";

interface Options extends PlaneFlags {
  readonly model: string[];
  readonly from: string;
  readonly to?: string;
  readonly device?: string[];
  readonly open?: string;
  readonly identity?: readonly string[];
}

interface Asking {
  readonly client: PlaneClient;
  readonly trust: Trust;
  readonly terminal: Terminal;
  /** Age identities, for segments that are encrypted to whoever asks. */
  readonly identities: readonly string[];
}

/** One of the two versions: its verified answer, and what segments disclose of it. */
interface Side {
  readonly name: string;
  readonly model: Digest;
  readonly report: Report;
  readonly records: RecordPages;
  readonly disclosed: Disclosed;
  readonly figures: Figures;
}

/** `tally compare --model A --model B`: one question over two versions, each number open to the records behind it. */
export const compare: Register = (program, { terminal, finish }) => {
  const command = program
    .command("compare")
    .summary("the same question over two versions of a model")
    .description("the same question over two versions of a model; every number opens to the records behind it")
    .requiredOption("--model <ref>", "a model: sha256:…, repository:tag or repository@sha256:…; give two", collect)
    .option("--from <time>", "from this time on", "1970-01-01")
    .option("--to <time>", "up to, not including, this time; the default is now")
    .option("--device <id>", "this device only (repeatable)", collect)
    .option("--trust <file>", "the trust file that both answers are verified with; TALLY_TRUST")
    .option("--identity <file>", "age identity of a recipient, to open encrypted segments (repeatable)", collect)
    .option("--open <figure>", "list the records behind a figure, such as A.agreed");
  withJson(withPlane(command)).action(async (options: Options) => {
    if (options.model.length !== 2) throw usageError("two versions are compared", "give --model twice");
    const wanted = options.open === undefined ? undefined : figureOf(options.open);
    const trust = await readTrustFile(terminal, options);
    const client = await connect(terminal, options);
    const models: Digest[] = [];
    for (const name of options.model) models.push(await modelNamed(terminal, client, name));
    const identities = await readIdentities(terminal, options.identity);
    const to = options.to ?? new Date().toISOString();
    const sides: Side[] = [];
    for (const [i, model] of models.entries()) {
      sides.push(await sideOf("AB"[i]!, model, { ...options, to }, { client, trust, terminal, identities }));
    }
    const failing = sides.find(({ report }) => report.outcome !== "good");
    if (wanted !== undefined) await openFigure(terminal, sides, wanted, options.json);
    else print(terminal, options.json, sides.map(asJson), () => comparison(sides));
    if (failing !== undefined) {
      for (const line of checkLines(failing.report)) say(terminal, line);
      say(terminal, `the answer about ${failing.name} does not hold: its figures prove nothing`);
      finish(exitCodeOf(failing.report));
    }
  });
};

function figureOf(text: string): { side: string; name: FigureName } {
  const [, side, name] = /^([AB])\.([a-z0-9-]+)$/.exec(text) ?? [];
  const known = figureNames.find((figure) => figure === name);
  if (side === undefined || known === undefined) {
    throw usageError(`${text} is no figure`, `write A or B, a dot, and one of ${figureNames.join(", ")}`);
  }
  return { side, name: known };
}

async function sideOf(
  name: string,
  model: Digest,
  flags: { from: string; to: string; device?: string[] },
  asking: Asking,
): Promise<Side> {
  const { client, trust, terminal } = asking;
  const { from, to, device } = flags;
  const question = questionOf({ model, from, to, ...(device && { device }) });
  const query = new URLSearchParams({ model, from: String(question.from), to: String(question.to) });
  for (const id of question.devices ?? []) query.append("device", id);
  const bundle = await client.bytes(`/api/v1/audit?${query}`);
  const { report, records } = await verifyRecords({
    bundle,
    ...(await trusting(trust)),
    expected: question,
    requireFull: true,
    now: Date.now(),
    holdRecords: 0,
  });
  for (const found of report.answer?.quarantines ?? []) {
    if (found.lifted === null) say(terminal, `${name}, counted as any other: under quarantine ${wordsOf(found)}`);
  }
  const disclosed = await contentsOf(name, model, asking);
  return { name, model, report, records, disclosed, figures: await figuresOf(records, disclosed) };
}

/** What segments disclose; nothing, and said so, where this person may not see them or there are none. */
async function contentsOf(
  name: string,
  model: Digest,
  { client, trust, terminal, identities }: Asking,
): Promise<Disclosed> {
  try {
    const found = await client.get<DataResponse>(`/api/v1/data?${new URLSearchParams({ model })}`);
    const source = repositoryOf(client, found.repository);
    const { rows, closed } = await openSegments({ client, source, model, items: found.segments, trust, identities });
    if (closed > 0) {
      const what = `${counted(closed, "segment")} of ${name} encrypted to others: their contents stand in no figure`;
      say(terminal, `${what}; --identity opens what is for you`);
    }
    return discloses(rows);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    say(terminal, `no contents of ${name}'s records: ${error.message}`);
    return new Map();
  }
}

function comparison(sides: readonly Side[]): readonly string[] {
  const rows = figureNames.map((name) => [
    name,
    ...sides.map(({ figures }) => shown(name, figures[name])),
    wording[name],
  ]);
  return [
    ...sides.map(({ name, model, report }) => `${name}  ${model}  ${report.outcome}`),
    "",
    ...table([["figure", "A", "B", ""], ...rows]),
  ];
}

const wording: Readonly<Record<FigureName, string>> = {
  inside: "records, proven to be of the interval",
  possibly: "records that may be of it",
  "key-revoked": "records under a revoked key",
  devices: "devices that made them",
  "latency-p50": "as the device measured it",
  "latency-p95": "as the device measured it",
  "latency-p99": "as the device measured it",
  contents: "records whose contents segments disclose, each matching its commitments",
  labelled: "of these, with a label that can be compared with the output",
  agreed: "the newest label is the output's class",
  differed: "it is another",
  confidence: "median of the largest score, over the records with contents",
};

function shown(name: FigureName, value: number | null): string {
  if (value === null) return "-";
  if (name.startsWith("latency")) return `${value} µs`;
  return name === "confidence" ? value.toFixed(4) : String(value);
}

function asJson({ name, model, report, figures }: Side) {
  return { name, model, outcome: report.outcome, question: report.question, asOf: report.asOf, figures };
}

async function openFigure(
  terminal: Terminal,
  sides: readonly Side[],
  { side, name }: { side: string; name: FigureName },
  json: boolean | undefined,
): Promise<void> {
  const { figures, records, disclosed } = sides.find((candidate) => candidate.name === side)!;
  for await (const { origin, index, durationMicros, standing } of recordsBehind(name, figures, records, disclosed)) {
    const record = { origin, index, standing, durationMicros };
    printLine(terminal, json ? JSON.stringify(record) : `${origin} #${index}  ${standing}  ${durationMicros} µs`);
  }
}
