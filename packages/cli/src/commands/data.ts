import { mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  type DataResponse,
  type DeviceState,
  type Digest,
  digestOf,
  formatTrust,
  parseDigest,
  type SegmentItem,
  selectionStatements,
  type Trust,
  toHex,
  utf8,
} from "@tally/evidence";
import type { RegistryClient } from "@tally/oci";
import { modelNamed, repositoryOf } from "../artifact.ts";
import { type CarriedData, findCarried, hasCarried } from "../data-query/carried.ts";
import {
  filtersAsJson,
  parseRange,
  parseSample,
  type Range,
  type RowFilters,
  type SampleSize,
} from "../data-query/filters.ts";
import { gather } from "../data-query/gather.ts";
import { Gathered } from "../data-query/gathered.ts";
import { keepOut, quarantineLine } from "../data-query/read-kept-out.ts";
import { writeSet } from "../data-query/write-set.ts";
import { type Doubt, doubtsOf, ledgersOf } from "../doubtful-segments.ts";
import { readErasures, type StatedErasure } from "../erasures.ts";
import { readFleet } from "../fleet-log.ts";
import { type KeyFlags, readSigningKey, withPassphrase } from "../keys/index.ts";
import { collect, collectList, withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import { signAndPost } from "../post-statement.ts";
import type { Register } from "../register.ts";
import { counted, print, say, settings, type Terminal, usageError } from "../terminal/index.ts";
import { readTrustFile } from "../trust-file.ts";
import { readIdentities } from "../verify-folder.ts";
import { dataList } from "./data-list.ts";
import { dataKeygen, dataOpen, dataPull } from "./data-segments.ts";

interface Options extends PlaneFlags, Partial<KeyFlags> {
  readonly model: string;
  readonly output: string;
  readonly labelled?: boolean;
  readonly confidence?: Range;
  readonly group?: readonly string[];
  readonly sample?: SampleSize;
  readonly seed: string;
  readonly includeRevoked?: boolean;
  readonly includeQuarantined?: boolean;
  readonly identity?: readonly string[];
  readonly originTrust?: readonly string[];
}

/** `tally data query`: what came back from the field under a model, every row proven. */
export const data: Register = (program, context) => {
  const { terminal } = context;
  const group = program.command("data").description("training data from the field");
  for (const register of [dataList, dataPull, dataOpen, dataKeygen]) register(group, context);
  const query = group
    .command("query")
    .description(
      "gather what devices kept of a model's inputs, outputs and labels; every row is verified against its ledger. Interrupted, it goes on where it stopped when it is called again",
    )
    .requiredOption("--model <ref>", "the model: sha256:…, repository:tag or repository@sha256:…")
    .requiredOption("-o, --output <dir>", "a folder that is not there yet, is empty, or has what this query gathered")
    .option("--labelled", "only rows that have a label")
    .option("--confidence <range>", "only rows whose largest score is in 0.5..0.8, ..0.6 or 0.9..", parseRange)
    .option("--group <name>", "only devices of this group, as the plane has them (repeatable)", collectList)
    .option("--sample <size>", "so many of the rows that remain, or a share such as 5%", parseSample)
    .option("--seed <text>", "which sample: the same seed draws the same rows", "0")
    .option("--include-revoked", "also rows of ledgers whose keys are revoked or that equivocated, marked as such")
    .option("--include-quarantined", "also rows under quarantine, marked as such")
    .option("--trust <file>", "the trust file, to verify that each ledger is of an enrolled device; TALLY_TRUST")
    .option("--identity <file>", "age identity of a recipient, to open encrypted segments (repeatable)", collect)
    .option(
      "--origin-trust <file>",
      "also what was carried here from the plane of this trust file (repeatable)",
      collect,
    )
    .option(
      "--key <key>",
      "private key of who selects: signs and posts a statement of which segments the data is from",
    );
  withJson(withPlane(withPassphrase(query))).action(async (options: Options) => {
    const dir = resolve(terminal.cwd, options.output);
    await mkdir(dir, { recursive: true });
    await requireUsable(dir);
    await using key =
      options.key === undefined ? undefined : await readSigningKey(terminal, { ...options, key: options.key });
    const client = await connect(terminal, options);
    const model = await modelNamed(terminal, client, options.model);
    const trust =
      (await settings(terminal, options)).trust.value === undefined
        ? undefined
        : await readTrustFile(terminal, options);
    const found = await client.get<DataResponse>(`/api/v1/data?${new URLSearchParams({ model })}`);
    const source = repositoryOf(client, found.repository);
    const carried = await carriedHere(terminal, { source, model, trust }, options);
    const own = await choose(terminal, await ledgersOf(client, found.segments), found.segments, options);
    const others = await choose(terminal, carried.ledgers, carried.items, options);
    const items = [...own.items, ...others.items];
    const doubts = new Map([...own.doubts, ...others.doubts]);
    if (trust === undefined)
      say(terminal, "no trust file is set: that the ledgers are of enrolled devices was not verified");
    const ownFleet = trust === undefined ? undefined : await readFleet(client, trust);
    const fleet = ownFleet && new Map([...ownFleet, ...carried.fleet]);
    const stated = own.items.length === 0 ? [] : await readErasures(client, trust, ownFleet);
    const erasures = [...stated, ...carried.erasures];
    const quarantined = await keepOut(terminal, client, trust, found, items, options.includeQuarantined === true);
    const replaced = new Set(erasures.flatMap(({ erasure }) => erasure.segments.map(({ manifest }) => manifest)));
    const gathered = await Gathered.open(join(dir, stateFile), idOfQuery(model, found.repository, trust, carried));
    try {
      const closed = await gather(gathered, {
        source,
        model,
        items: quarantined.toFetch(items.filter(({ manifest }) => !replaced.has(parseDigest(manifest)))),
        fleet,
        identities: await readIdentities(terminal, options.identity),
        onRefused: (item, { message }) => {
          // What a ledger of this plane names has to be there; what was carried is what somebody pushed.
          if (!others.items.includes(item)) return false;
          say(terminal, `left out ${item.manifest}: ${message}`);
          return true;
        },
        onProgress: (done, of) => {
          if (done % sayEvery === 0) say(terminal, `${done} of ${of} segments`);
        },
      });
      if (closed > 0) {
        const what = `left out ${counted(closed, "segment")} encrypted to others`;
        say(terminal, `${what}; --identity opens what is for you`);
      }
      const filters: RowFilters = {
        labelled: options.labelled === true,
        confidence: options.confidence,
        sample: options.sample && { size: options.sample, seed: options.seed },
      };
      const written = await writeSet(dir, gathered, filters, doubts, quarantined);
      const { kept } = quarantined;
      if (key !== undefined && written.segments.length > 0) {
        const { group: groups = [], includeRevoked = false, includeQuarantined = false } = options;
        const withoutQuarantined = includeQuarantined ? [] : kept.map(({ statement }) => statement);
        const asked = {
          model,
          segments: written.segments,
          filters: filtersAsJson(filters, { groups, includeRevoked, includeQuarantined, withoutQuarantined }),
        };
        for (const selection of selectionStatements(written.files, asked)) {
          const { digest, index } = await signAndPost(client, selection, key);
          say(terminal, `selection ${digest}: entry ${index} of the plane's log`);
        }
      }
      const absent = await readAbsent(gathered, erasures);
      const { rows, segments, files } = written;
      const { planes } = carried;
      const summary = {
        model,
        repository: found.repository,
        rows,
        segments,
        files,
        absent: absent.shown,
        quarantined: kept,
      };
      print(terminal, options.json, planes.length === 0 ? summary : { ...summary, planes }, () =>
        files.map((file) => `${file.digest}  ${file.name}`),
      );
      const devices = new Set(segments.map(({ origin }) => origin)).size;
      say(
        terminal,
        `${counted(rows, "row")} from ${counted(segments.length, "segment")} of ${counted(devices, "device")}, each proven against its ledger`,
      );
      for (const { plane } of planes) {
        const from = segments.filter(({ origin }) => origin.startsWith(`${plane}/d/`)).length;
        say(terminal, `${counted(from, "segment")} of them carried here from ${plane}`);
      }
      for (const one of kept) say(terminal, quarantineLine(one, options.includeQuarantined === true));
      if (absent.erased > 0)
        say(terminal, `${counted(absent.erased, "record")} erased, as devices have stated; --json names them`);
      if (absent.lost > 0)
        say(terminal, `${counted(absent.lost, "captured record")} not here, and not proven to be erased`);
    } catch (error) {
      await gathered.close();
      throw error;
    }
    await gathered.remove();
  });
};

/** What was gathered so far lies beside the result until that is complete. */
const stateFile = ".tally-query.db";
const sayEvery = 1000;
/** Absent records are named up to here, and counted beyond. */
const mostAbsentShown = 1000;

async function requireUsable(dir: string): Promise<void> {
  const names = await readdir(dir);
  if (names.length === 0 || names.includes(stateFile)) return;
  throw usageError(`${dir} is not empty`, "name a folder that is not there yet");
}

function idOf(trust: Trust | undefined): string | null {
  return trust === undefined ? null : digestOf(utf8(formatTrust(trust)));
}

/** What has to be the same for what was gathered before to be of use. */
function idOfQuery(model: Digest, repository: string, trust: Trust | undefined, { origins }: Carried): string {
  return JSON.stringify([model, repository, idOf(trust), ...origins.map(idOf)]);
}

interface Carried extends CarriedData {
  readonly origins: readonly Trust[];
  readonly ledgers: ReadonlyMap<string, { readonly state: DeviceState; readonly group?: string | null }>;
}

/** Segments of other planes' devices, where somebody says whose word proves them; where nobody does, that there are some is said. */
async function carriedHere(
  terminal: Terminal,
  { source, model, trust }: { source: RegistryClient; model: Digest; trust: Trust | undefined },
  { originTrust: files = [] }: Options,
): Promise<Carried> {
  const origins: Trust[] = [];
  for (const file of files) origins.push(await readTrustFile(terminal, { trust: file }));
  if (origins.length === 0) {
    if (await hasCarried(source, model))
      say(
        terminal,
        "what was carried here from another plane is left out; --origin-trust FILE, its trust file, takes it in",
      );
    return { items: [], fleet: new Map(), doubts: new Map(), erasures: [], planes: [], origins, ledgers: new Map() };
  }
  if (trust === undefined)
    throw usageError("--origin-trust needs the trust file of this plane as well", "give --trust FILE");
  const found = await findCarried({
    ...{ source, model, origins, now: Date.now() },
    onRefused: (manifest, { message }) => say(terminal, `left out ${manifest}: ${message}`),
  });
  for (const { plane, asOf } of found.planes) {
    const when =
      asOf === null ? "no evidence of it that holds is here" : `its evidence is as of ${new Date(asOf).toISOString()}`;
    say(terminal, `${plane}: ${when}`);
  }
  const ledgers = new Map([...found.doubts].map(([origin, state]) => [origin, { state }]));
  return { ...found, origins, ledgers };
}

async function choose(
  terminal: Terminal,
  ledgers: Carried["ledgers"],
  segments: readonly SegmentItem[],
  { group: groups, includeRevoked }: Options,
): Promise<{ readonly items: readonly SegmentItem[]; readonly doubts: ReadonlyMap<string, Doubt> }> {
  const asked = segments.filter(({ origin }) => groups?.includes(ledgers.get(origin)?.group ?? "") ?? true);
  const named = new Set(asked.map(({ origin }) => origin));
  const doubts = new Map([...doubtsOf(ledgers)].filter(([origin]) => named.has(origin)));
  const items = asked.filter(({ origin }) => includeRevoked === true || !doubts.has(origin));
  const left = asked.length - items.length;
  if (left > 0) {
    const why = [...doubts].map(([origin, doubt]) => `${origin} is ${doubt}`).join(", ");
    say(terminal, `left out ${counted(left, "segment")}: ${why}; --include-revoked takes them in, marked`);
  }
  return { items, doubts };
}

async function readAbsent(gathered: Gathered, erasures: readonly StatedErasure[]) {
  const stated = new Map(
    erasures.flatMap(({ statement, erasure: { origin, records } }) =>
      records.map(({ index, leaf }) => [`${origin} ${index} ${toHex(leaf)}`, statement] as const),
    ),
  );
  const shown: object[] = [];
  let [erased, lost] = [0, 0];
  for await (const { origin, index, leaf } of gathered.absent()) {
    const statement = stated.get(`${origin} ${index} ${leaf}`) ?? null;
    if (statement === null) lost += 1;
    else erased += 1;
    if (shown.length < mostAbsentShown) shown.push({ origin, index, statement });
  }
  return { shown, erased, lost };
}
