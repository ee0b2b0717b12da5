import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Digest,
  decodeEntry,
  envelopeMediaType,
  erasureStatement,
  fromBase64,
  maxErasedRecords,
  signStatement,
  statementSignerFromPem,
  toBase64,
} from "@tally/evidence";
import { type DeviceCore, whenRoom } from "../device-core.ts";
import { deviceKeys } from "../identity.ts";
import { askPlane } from "../plane/http.ts";
import type { PlaneSession } from "../plane/session.ts";
import { type ErasurePlan, ErasurePlans } from "./plan.ts";
import { replaceSegment } from "./replace-segment.ts";

/** An erasure that the plane was told of. */
export interface FinishedErasure {
  readonly records: number;
  readonly segments: number;
  /** Envelopes of the statements. */
  readonly statements: readonly Digest[];
}

/**
 * Brings erasures to their end: replaces segments, tells the ledger of the replacements, syncs, signs what was erased and
 * gives it to the plane, which deletes the layers that it names. May stop anywhere; the next call goes on.
 *
 * @param sync brings the plane up to date
 * @throws EdgeError `unreachable`, `plane-refused`
 */
export async function finishErasures(
  core: DeviceCore,
  session: PlaneSession,
  sync: () => Promise<unknown>,
): Promise<readonly FinishedErasure[]> {
  const plans = new ErasurePlans(core.folder.state);
  const open = (await plans.all()).filter(({ step, origin }) => step !== "done" && origin === core.ledger.origin);
  const replaced: ErasurePlan[] = [];
  for (const plan of open) {
    replaced.push(plan.step === "replace" ? await replaceSegments(core, session, plans, plan) : plan);
  }
  if (replaced.some(({ step, segments }) => step === "replace" && segments.length > 0)) await sync();
  const finished: FinishedErasure[] = [];
  for (const plan of replaced) {
    const signed = plan.step === "state" ? plan : await sign(core, plans, plan);
    for (const envelope of signed.envelopes) await post(core, session, fromBase64(envelope));
    await plans.keep({ ...signed, step: "done", envelopes: [] });
    const { records, segments, statements } = signed;
    finished.push({ records: records.length, segments: segments.length, statements });
  }
  return finished;
}

async function replaceSegments(
  core: DeviceCore,
  session: PlaneSession,
  plans: ErasurePlans,
  started: ErasurePlan,
): Promise<ErasurePlan> {
  let plan = started;
  const erased = new Set(plan.records.map(({ index }) => index));
  const before = new Set((await plans.all()).flatMap(({ segments }) => segments.map(({ manifest }) => manifest)));
  for await (const { manifest, from, to } of pushedSegments(core, erased)) {
    if (before.has(manifest)) continue;
    const found = await replaceSegment(core, session, manifest, erased);
    if (found === undefined) continue;
    if (found.replacement !== undefined) {
      const entry = { kind: "segment", from, to, artifact: found.replacement } as const;
      await (await whenRoom(core, () => core.recorder.note(entry))).committed;
    }
    plan = await plans.keep({ ...plan, segments: [...plan.segments, found] });
  }
  return plan;
}

/** Segments that the ledger names and in whose range something was erased. */
async function* pushedSegments(
  { ledger }: DeviceCore,
  erased: ReadonlySet<number>,
): AsyncGenerator<{ readonly manifest: Digest; readonly from: number; readonly to: number }> {
  const seen = new Set<Digest>();
  for await (const bytes of ledger.entries(0, ledger.size)) {
    const entry = decodeEntry(bytes);
    if (entry.kind !== "segment" || seen.has(entry.artifact)) continue;
    seen.add(entry.artifact);
    const { from, to, artifact: manifest } = entry;
    if ([...erased].some((index) => index >= from && index < to)) yield { manifest, from, to };
  }
}

/** Signs with every key of the device. Kept before it is sent: an answer that is lost must not make two statements of one. */
async function sign({ folder, ledger }: DeviceCore, plans: ErasurePlans, plan: ErasurePlan): Promise<ErasurePlan> {
  const signers = await Promise.all(
    deviceKeys.map(async ({ file }) => statementSignerFromPem(await readFile(join(folder.keys, file), "utf8"))),
  );
  const envelopes: string[] = [];
  const statements: Digest[] = [];
  for (let i = 0; i < plan.records.length; i += maxErasedRecords) {
    const records = plan.records.slice(i, i + maxErasedRecords);
    const segments = i === 0 ? plan.segments : [];
    const erasure = { origin: ledger.origin, records, keystore: "file", segments } as const;
    const { bytes, digest } = await signStatement(erasureStatement(erasure), ...signers);
    envelopes.push(toBase64(bytes));
    statements.push(digest);
  }
  return plans.keep({ ...plan, step: "state", envelopes, statements });
}

async function post({ config }: DeviceCore, session: PlaneSession, bytes: Uint8Array): Promise<void> {
  await askPlane(config.url, {
    method: "POST",
    path: "/api/v1/statements",
    session,
    body: { type: envelopeMediaType, bytes },
  });
}
