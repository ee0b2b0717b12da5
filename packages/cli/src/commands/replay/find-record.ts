import { join, resolve } from "node:path";
import { type KeptRecord, keptInFolder, keptInSegment } from "@tally/edge";
import { type DataResponse, type Digest, exitCodeOf, parseDigest, verifyBundle } from "@tally/evidence";
import { OciError, unpackModelKit } from "@tally/oci";
import { repositoryOf } from "../../artifact.ts";
import { readErasures } from "../../erasures.ts";
import { readFleet } from "../../fleet-log.ts";
import { keysIn, requireEnrolled } from "../../open-segments.ts";
import { connect, type PlaneClient } from "../../plane-client.ts";
import { requireAnswerTo } from "../../record-place.ts";
import { CliError, exitCodes, settings, type Terminal, usageError } from "../../terminal/index.ts";
import { readTrustFile, trusting } from "../../trust-file.ts";
import { readIdentities } from "../../verify-folder.ts";
import type { ReplayFlags } from "./flags.ts";

/** A record whose contents are at hand, or why they are not. */
export type FoundRecord =
  | { readonly kind: "kept"; readonly record: KeptRecord }
  | { readonly kind: "gone"; readonly why: string; readonly hint: string };

/** Looks in the device's folder, if one is given, and then in the segments of the plane's registry. */
export async function findRecord(
  terminal: Terminal,
  flags: ReplayFlags,
  device: string | null,
  index: number,
  temporary: string,
): Promise<FoundRecord> {
  let id = device;
  if (flags.dir !== undefined) {
    const record = await keptInFolder(resolve(terminal.cwd, flags.dir), index);
    if (device !== null && !record.origin.includes(`/d/${device}/`)) {
      throw usageError(`${flags.dir} is the folder of ${record.origin}, not of ${device}`);
    }
    if (record.erased !== undefined) return erased(record.origin, index, record.erased);
    if (record.contents !== undefined) return { kind: "kept", record };
    id = /\/d\/([0-9a-f]+)\//.exec(record.origin)?.[1] ?? null;
  }
  if (id === null) throw usageError("an index alone says nothing of the device", "write DEVICE/INDEX, or give --dir");
  const { url, trust } = await settings(terminal, flags);
  if (flags.dir !== undefined && (url.value === undefined || trust.value === undefined)) {
    return notKept(`record ${index}: nothing is kept of it in ${flags.dir}`);
  }
  return inSegments(terminal, flags, id, index, temporary);
}

/** The record, proven by its receipt, in the segment that the device's ledger names for it. */
async function inSegments(
  terminal: Terminal,
  flags: ReplayFlags,
  device: string,
  index: number,
  temporary: string,
): Promise<FoundRecord> {
  const trust = await readTrustFile(terminal, flags);
  const client = await connect(terminal, flags);
  const report = await verifyBundle({
    bundle: await client.bytes(`/api/v1/receipts/${device}/${index}`),
    ...(await trusting(trust)),
    now: Date.now(),
  });
  requireAnswerTo(report.question, device, index);
  const [proven] = report.answer?.records ?? [];
  if (report.outcome !== "good" || proven === undefined) {
    throw new CliError(
      exitCodeOf(report) || exitCodes.notProven,
      `record ${device}/${index} is not proven: ${report.outcome}`,
      {
        hint: `\`tally trace ${device}/${index}\` shows each check`,
      },
    );
  }
  const { origin, model } = proven;
  const statements = report.answer?.erased.map(({ statement }) => statement) ?? [];
  if (statements.length > 0) return erased(origin, index, statements);
  if (model === null) return notKept(`record ${index} of ${origin} is of a model without a manifest`);
  const found = await client.get<DataResponse>(`/api/v1/data?${new URLSearchParams({ model })}`);
  const fleet = await readFleet(client, trust);
  const replaced = new Set(
    (await readErasures(client, trust, fleet)).flatMap(({ erasure }) =>
      erasure.segments.map(({ manifest }) => manifest),
    ),
  );
  const source = repositoryOf(client, found.repository);
  const identities = await readIdentities(terminal, flags.identity);
  for (const [i, item] of found.segments.entries()) {
    const manifest = parseDigest(item.manifest);
    if (item.origin !== origin || index < item.from || index >= item.to || replaced.has(manifest)) continue;
    const into = join(temporary, `segment-${i}`);
    const unpacked = await unpackModelKit({ source, reference: manifest, into }).catch((error: unknown) => {
      if (error instanceof OciError && error.code === "not-found") return undefined;
      throw error;
    });
    if (unpacked === undefined) continue;
    const record = await keptInSegment(into, index, keysIn(fleet), identities);
    requireEnrolled({ origin: record.origin, genesisHash: record.genesisHash }, manifest, fleet.get(origin));
    if (record.contents !== undefined) return { kind: "kept", record };
  }
  return notKept(
    `record ${index} of ${origin}: no segment holds its contents, and no statement says that they were erased`,
  );
}

/** The repository whose model this is said to be. */
export async function repositoryOfModel(client: PlaneClient, model: Digest): Promise<string> {
  const { repository } = await client.get<DataResponse>(`/api/v1/data?${new URLSearchParams({ model })}`);
  return repository;
}

function erased(origin: string, index: number, statements: readonly Digest[]): FoundRecord {
  const by =
    statements.length === 0 ? "the plane has not been told yet" : `as the device states in ${statements.join(", ")}`;
  return {
    kind: "gone",
    why: `the contents of ${origin} #${index} were erased: ${by}`,
    hint: "that the record was made stays proven: `tally trace`",
  };
}

function notKept(why: string): FoundRecord {
  return { kind: "gone", why, hint: "only what capture kept can be run again" };
}
