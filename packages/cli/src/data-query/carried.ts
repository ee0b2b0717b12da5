import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import {
  type Digest,
  erasureType,
  bundleMediaType as evidenceType,
  type JsonObject,
  type JsonValue,
  parseEnvelope,
  parseErasure,
  type SegmentItem,
  type Trust,
} from "@tally/evidence";
import { isSegment, modelKitTypes, OciError, type RegistryClient, readModelKit, referrerAnnotations } from "@tally/oci";
import { readEvidence } from "../carry/evidence.ts";
import type { Doubt } from "../doubtful-segments.ts";
import type { StatedErasure } from "../erasures.ts";
import type { Admission } from "../fleet-log.ts";

/** What was carried here of the records of other planes' devices, and what proves whose they are. */
export interface CarriedData {
  readonly items: readonly SegmentItem[];
  readonly fleet: ReadonlyMap<string, Admission>;
  readonly doubts: ReadonlyMap<string, Doubt>;
  readonly erasures: readonly StatedErasure[];
  readonly planes: readonly CarriedPlane[];
}

export interface CarriedPlane {
  readonly plane: string;
  /** As of when its evidence answers, in milliseconds since 1970; null where none that holds came along. */
  readonly asOf: number | null;
  /** Segments that lie here, before any of them is opened. */
  readonly segments: number;
}

export interface CarriedWanted {
  readonly source: RegistryClient;
  readonly model: Digest;
  /** The trust files of the planes that they come from. */
  readonly origins: readonly Trust[];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Told of what is said to be a segment and cannot be read as one. */
  readonly onRefused: (manifest: string, error: Error) => void;
}

/** Whether anything that was carried here hangs on the model. */
export async function hasCarried(source: RegistryClient, model: Digest): Promise<boolean> {
  for await (const _ of source.referrers(model, evidenceType)) return true;
  return false;
}

/**
 * Finds segments that came with an export of another plane: they hang on the model, and no ledger that this plane mirrors names
 * them. Their devices are those of the fleet log in the evidence that came with them, verified by that plane's own trust file; of what it
 * says nothing is taken but of ledgers under that plane's name.
 */
export async function findCarried({ source, model, origins, now, onRefused }: CarriedWanted): Promise<CarriedData> {
  const found = await Promise.all(origins.map((trust) => readOrigin(source, model, trust, now)));
  const fleet = new Map(found.flatMap((origin) => [...origin.fleet]));
  const devices = new Set([...fleet.keys()].map((origin) => origin.split("/").at(-2)));
  const items: SegmentItem[] = [];
  for await (const { digest, annotations } of source.referrers(model, modelKitTypes.artifact)) {
    const device = annotations?.[referrerAnnotations.device];
    if (device !== undefined && !devices.has(device)) continue;
    const item = await itemOf(source, digest as Digest).catch((error: unknown) => {
      if (!(error instanceof OciError) || error.code !== "modelkit-invalid") throw error;
      onRefused(digest, error);
      return undefined;
    });
    if (item !== undefined && fleet.has(item.origin)) items.push(item);
  }
  return {
    items,
    fleet,
    doubts: new Map(found.flatMap((origin) => [...origin.doubts])),
    erasures: found.flatMap((origin) => origin.erasures),
    planes: found.map(({ plane, asOf }) => ({
      plane,
      asOf,
      segments: items.filter(({ origin }) => isOf(plane, origin)).length,
    })),
  };
}

function isOf(plane: string, origin: string): boolean {
  return origin.startsWith(`${plane}/d/`);
}

/** The evidence of one plane: several exports may have brought some, of which each says what was so then. */
async function readOrigin(source: RegistryClient, model: Digest, trust: Trust, now: number) {
  const { name: plane } = trust.plane;
  const fleet = new Map<string, Admission>();
  const doubts = new Map<string, Doubt>();
  const erasures = new Map<Digest, StatedErasure>();
  let asOf: number | null = null;
  const dir = await mkdtemp(join(tmpdir(), "tally-carried-"));
  try {
    for await (const { digest } of source.referrers(model, evidenceType)) {
      const { manifest } = await source.resolve(digest);
      const layer = manifest.kind === "image" ? manifest.layers[0] : undefined;
      if (layer === undefined) continue;
      const path = join(dir, "evidence");
      await pipeline(source.blob(layer), createWriteStream(path));
      const read = await readEvidence(path, trust, now);
      const { answer, asOf: then } = read.report;
      // Another plane's, or not what it says it is: whoever takes it in is told, and here it proves nothing.
      if (read.fleet === undefined || answer === null) continue;
      asOf = Math.max(asOf ?? 0, then ?? 0);
      for (const [origin, admission] of read.fleet) {
        const before = fleet.get(origin);
        const isNewer = before === undefined || before.keySets.length <= admission.keySets.length;
        if (isOf(plane, origin) && isNewer) fleet.set(origin, admission);
      }
      for (const { origin, standing } of answer.ledgers) {
        if (!isOf(plane, origin)) continue;
        if (standing === "equivocated") doubts.set(origin, "equivocated");
        else if (standing === "keys revoked" && !doubts.has(origin)) doubts.set(origin, "revoked");
      }
      const proven = new Set(answer.erased.map(({ statement }) => statement));
      for (const { digest: statement, predicateType, bytes } of read.statements) {
        if (predicateType !== erasureType || !proven.has(statement)) continue;
        erasures.set(statement, { statement, erasure: parseErasure(parseEnvelope(bytes).statement) });
      }
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  return { plane, asOf, fleet, doubts, erasures: [...erasures.values()] };
}

/** Which entries a segment says that it has. Opening it holds that against its proof. */
async function itemOf(source: RegistryClient, manifest: Digest): Promise<SegmentItem | undefined> {
  const kit = await readModelKit(source, manifest);
  if (!isSegment(kit.manifest)) return undefined;
  const { origin, device, from, to } = objectIn(kit.kitfile?.datasets?.[0]?.parameters);
  if (typeof origin !== "string" || typeof from !== "number" || typeof to !== "number") return undefined;
  return { manifest, origin, deviceId: typeof device === "string" ? device : "", from, to, index: -1 };
}

function objectIn(value: JsonValue | undefined): Partial<JsonObject> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}
