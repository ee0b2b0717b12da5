import { join } from "node:path";
import type { Digest } from "@tally/evidence";
import type { SignedCheckpoint } from "@tally/ledger";
import { OciError, packModelKit, RegistryClient } from "@tally/oci";
import { type DeviceCore, whenRoom } from "../device-core.ts";
import { EdgeError } from "../error.ts";
import { readIfPresent, writeDurably } from "../folder/durable-file.ts";
import { asCount, parseObject } from "../folder/json.ts";
import { repositoryOf } from "../models/repositories.ts";
import { unreachable } from "../plane/http.ts";
import type { PlaneSession } from "../plane/session.ts";
import { readSyncState } from "../sync/sync-state.ts";
import { buildRows } from "./build-rows.ts";
import { collectPayloads, collectShares, type ModelShare } from "./collect.ts";
import type { OpenedPayload } from "./payload-sequence.ts";
import { segmentAnnotations } from "./segment-annotations.ts";
import { segmentFiles } from "./segment-files.ts";
import { segmentKitfile } from "./segment-kitfile.ts";
import { encodeProof, gatherProof } from "./segment-proof.ts";

/** A segment that was pushed. */
export interface PackedSegment {
  readonly artifact: Digest;
  readonly model: Digest;
  readonly repository: string;
  /** Entries [from, to) of this device's ledger. */
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

/** The longest range of one segment: a training-data artifact that tools still handle with ease. */
const mostEntries = 16_384;

/**
 * Packs what capture kept, up to what the plane holds of the ledger: one ModelKit per model and range, pushed into the
 * model's repository with the model as its subject, and a `segment` entry for each. The next sync tells the plane.
 *
 * @throws EdgeError `unreachable`, `plane-refused`; what was pushed before stays, and the next call goes on.
 */
export async function packSegments(core: DeviceCore, session: PlaneSession): Promise<readonly PackedSegment[]> {
  const { folder, ledger, payloads } = core;
  const mirrored = (await readSyncState(folder.state))?.mirrored ?? 0;
  const packed: PackedSegment[] = [];
  for (let from = await readCursor(folder.state); from < mirrored; ) {
    const to = Math.min(mirrored, from + mostEntries);
    const latest =
      ledger.latest !== undefined && ledger.latest.checkpoint.size >= to ? ledger.latest : await ledger.seal();
    const kept = await collectPayloads(core, from, to);
    for (const [model, share] of await collectShares(core, from, to)) {
      const segment = await packOne(core, session, { model, share, kept, from, to, latest });
      if (segment === undefined) continue;
      const entry = { kind: "segment", from, to, artifact: segment.artifact } as const;
      await (await whenRoom(core, () => core.recorder.note(entry))).committed;
      packed.push(segment);
    }
    await writeCursor(folder.state, to);
    await payloads.discardBefore(to);
    from = to;
  }
  return packed;
}

interface Part {
  readonly model: Digest;
  readonly share: ModelShare;
  readonly kept: readonly OpenedPayload[];
  readonly from: number;
  readonly to: number;
  readonly latest: SignedCheckpoint;
}

async function packOne(core: DeviceCore, session: PlaneSession, part: Part): Promise<PackedSegment | undefined> {
  const { ledger, config, folder, salts } = core;
  const { origin } = ledger;
  const { recipients } = config;
  const { model, share, kept, from, to, latest } = part;
  const built = buildRows(origin, share.records, share.labels, kept);
  const { rows } = built;
  const repository = await repositoryOf(folder.state, model);
  if (rows.length + built.late.length === 0 || repository === undefined) return undefined;
  const proof = await gatherProof(ledger, latest, [from, to], [0, ...share.loads]);
  try {
    const { origin: url } = new URL(config.url);
    const target = new RegistryClient({ url, repository, token: await session.token() });
    const { descriptor: subject } = await target.manifest(model);
    const { digest } = await packModelKit({
      files: await segmentFiles(built, encodeProof(proof), {
        recipients,
        salts,
        place: { origin, from, to },
        entries: share,
      }),
      kitfile: segmentKitfile({ origin, model, from, to, rows, records: share.records, recipients }),
      target,
      subject,
      annotations: segmentAnnotations(ledger.origin, rows, share.records, share.labels),
    });
    return { artifact: digest, model, repository, from, to, rows: rows.length };
  } catch (cause) {
    if (!(cause instanceof OciError)) throw cause;
    if (cause.code === "unreachable") throw unreachable(config.url, cause.message, cause);
    throw new EdgeError("plane-refused", `the segment for ${model} was not taken: ${cause.message}`, {
      cause,
      ...(cause.hint !== undefined && { hint: cause.hint }),
    });
  }
}

/** The first entry that was not yet packed. */
async function readCursor(stateFolder: string): Promise<number> {
  const path = join(stateFolder, "segments.json");
  const bytes = await readIfPresent(path);
  if (bytes === undefined) return 0;
  return asCount(parseObject(new TextDecoder().decode(bytes), path, "damaged").next, `${path}: next`, "damaged");
}

function writeCursor(stateFolder: string, next: number): Promise<void> {
  return writeDurably(join(stateFolder, "segments.json"), `${JSON.stringify({ next })}\n`);
}
