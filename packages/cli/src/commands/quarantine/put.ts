import { resolve } from "node:path";
import {
  type DataResponse,
  describeQuarantined,
  isDigest,
  type NamedDigest,
  parseDigest,
  type Quarantined,
  quarantineStatement,
} from "@tally/evidence";
import { isContentDigest, parseArtifactName } from "@tally/oci";
import type { Command } from "commander";
import { manifestOf, repositoryOf } from "../../artifact.ts";
import { hashFiles } from "../../hash-files.ts";
import { openSigningKey, type SigningFlags, withKeyless, withPassphrase } from "../../keys/index.ts";
import { parseCount, withJson, withPlane } from "../../options.ts";
import { connect, type PlaneClient, type PlaneFlags } from "../../plane-client.ts";
import { signAndPost } from "../../post-statement.ts";
import { deviceRanges } from "../../quarantine/device-ranges.ts";
import type { Register } from "../../register.ts";
import { print, say, type Terminal, usageError } from "../../terminal/index.ts";

export interface SayFlags extends PlaneFlags, SigningFlags {
  readonly reason: string;
}

/** Adds what every statement about a quarantine takes. */
export function withReason(command: Command): Command {
  command
    .requiredOption("--reason <text>", "why")
    .option("--key <key>", "private key of who may quarantine, by the trust file");
  return withJson(withPlane(withKeyless(withPassphrase(command))));
}

interface DeviceFlags extends SayFlags {
  readonly epoch?: number;
  readonly from?: number;
  readonly to?: number;
  readonly since?: string;
  readonly until?: string;
  readonly trust?: string;
}

/** `tally quarantine device DEVICE`: what it recorded, all or from an entry or a time on. */
export const putDevice: Register = (group, { terminal }) => {
  const command = group
    .command("device")
    .description("keep out what a device recorded: all of it, or from an entry or a time on")
    .argument("<device>", "the device's id")
    .option("--from <index>", "from this entry of its ledger on", parseCount)
    .option("--to <index>", "up to, not including, this entry; left out, what comes later is kept out, too", parseCount)
    .option("--epoch <number>", "of which of its ledgers --from is; the newest if not given", parseCount)
    .option("--since <time>", "from the first record on that is not proven to be older; takes a trust file")
    .option("--until <time>", "up to the last record that is not proven to be as young")
    .option("--trust <file>", "the trust file that the answer about these times is verified with; TALLY_TRUST");
  withReason(command).action(async (device: string, options: DeviceFlags) => {
    const client = await connect(terminal, options);
    await post(terminal, client, options, await deviceRanges(terminal, client, device, options));
  });
};

/** `tally quarantine segment REPOSITORY@DIGEST`: the rows of one segment. */
export const putSegment: Register = (group, { terminal }) => {
  const command = group
    .command("segment")
    .description("keep out the rows of one segment")
    .argument("<ref>", "repository@sha256:…, as `data list` and `data query` name it");
  withReason(command).action(async (ref: string, options: SayFlags) => {
    const client = await connect(terminal, options);
    await post(terminal, client, options, [await segmentOf(client, ref)]);
  });
};

/** `tally quarantine model DIGEST|REF`. */
export const putModel: Register = (group, { terminal }) => {
  const command = group
    .command("model")
    .description("keep a model out: it is not released, a device does not load it, and its records are left out")
    .argument("<model>", "digest of the manifest, or repository:tag");
  withReason(command).action(async (model: string, options: SayFlags) => {
    const client = await connect(terminal, options);
    await post(terminal, client, options, [{ kind: "model", manifest: await manifestOf(client, model) }]);
  });
};

/** `tally quarantine dataset FILE|DIGEST…`. */
export const putDataset: Register = (group, { terminal }) => {
  const command = group
    .command("dataset")
    .description("keep data out: whatever was trained on it says so from now on")
    .argument("<data...>", "a file, a folder, sha256:… or name=sha256:…");
  withReason(command).action(async (data: readonly string[], options: SayFlags) => {
    const files = (await Promise.all(data.map((text) => filesOf(terminal, text)))).flat();
    await post(terminal, await connect(terminal, options), options, [{ kind: "dataset", files }]);
  });
};

async function post(
  terminal: Terminal,
  client: PlaneClient,
  options: SayFlags,
  things: readonly Quarantined[],
): Promise<void> {
  await using key = await openSigningKey(terminal, options);
  const made: { statement: string; index: number; what: Quarantined }[] = [];
  for (const what of things) {
    const said = quarantineStatement({ decision: "quarantine", what, reason: options.reason, at: Date.now() });
    const { digest: statement, index } = await signAndPost(client, said, key);
    made.push({ statement, index, what });
  }
  print(terminal, options.json, made, () => made.map(({ statement }) => statement));
  for (const { what, index } of made)
    say(terminal, `under quarantine: ${describeQuarantined(what)}: entry ${index} of the plane's log`);
}

async function segmentOf(client: PlaneClient, ref: string): Promise<Quarantined> {
  const { repository, reference } = parseArtifactName(ref);
  const { descriptor, manifest: parsed } = await repositoryOf(client, repository).resolve(reference);
  const subject = "subject" in parsed ? parsed.subject?.digest : undefined;
  if (subject === undefined || !isContentDigest(subject) || !isDigest(subject)) {
    throw usageError(`${ref} is no segment: it has no model as its subject`, "see: tally data list --model REF");
  }
  const { segments } = await client.get<DataResponse>(`/api/v1/data?${new URLSearchParams({ model: subject })}`);
  const found = segments.find(({ manifest }) => manifest === descriptor.digest);
  if (found === undefined) {
    throw usageError(`no device's ledger that arrived at the plane names ${ref}`, "sync the device first");
  }
  const { manifest, origin, from, to } = found;
  return { kind: "segment", manifest, origin, from, to, model: subject };
}

async function filesOf(terminal: Terminal, text: string): Promise<readonly NamedDigest[]> {
  if (text.startsWith("sha256:")) return [{ digest: parseDigest(text) }];
  const [, name, digest] = /^([^=]+)=(sha256:.*)$/.exec(text) ?? [];
  if (name !== undefined && digest !== undefined) return [{ name, digest: parseDigest(digest) }];
  return hashFiles(resolve(terminal.cwd, text));
}
