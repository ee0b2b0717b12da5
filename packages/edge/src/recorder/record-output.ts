import {
  type CborValue,
  captureLevels,
  encodeCbor,
  type Inference,
  maxInlineReferences,
  mediaTypes,
  type RecordReference,
  type SaltedCommitment,
  sha256Text,
  utf8,
} from "@tally/evidence";
import { asSalted, type CanonicalContent, commitTo } from "../content.ts";
import { type DeviceCore, whenRoom } from "../device-core.ts";
import { matchesRule } from "./capture-rule.ts";
import { encodeParameters, encodeUsage, type Parameters, type Usage } from "./decimal.ts";
import { sealedOverhead, sealPayload } from "./payload-cipher.ts";
import type { PayloadRole } from "./payload-store.ts";
import type { LiveLoad, RecordFields, RecordPlace } from "./recorder.ts";
import type { Salt } from "./salt-derivation.ts";
import type { SaltStore } from "./salt-store.ts";

/** One output with what led to it. */
export interface Output {
  readonly load: LiveLoad;
  readonly input: CanonicalContent;
  readonly output: CanonicalContent;
  /** How long the model took. */
  readonly durationMicros: number;
  readonly parameters?: Parameters | undefined;
  readonly usage?: Usage | undefined;
  /** Records whose outputs went into this one. */
  readonly parents?: readonly RecordReference[] | undefined;
  /** What was retrieved for this output, in order of use. */
  readonly retrievals?: readonly CanonicalContent[] | undefined;
  /** An opaque id of whom the record is about: records of one subject are erased together. Never in the ledger. */
  readonly subject?: string | undefined;
}

/**
 * Records an output and resolves when it may be released, as the release mode says, with what `asResult` makes of its place.
 *
 * Most outputs are recorded in the turn in which they are handed over, without waiting for anything but the disk at the end:
 * salts are at hand, and only long lists of references become blobs.
 *
 * @throws EdgeError `entry-too-large`, `record-failed`, `model-released`: the output must then not be used. By rejecting only.
 */
export function recordOutput<T>(core: DeviceCore, output: Output, asResult: (place: RecordPlace) => T): Promise<T> {
  const { parents = noReferences, retrievals = noContents } = output;
  const salts = output.subject === undefined ? core.salts.takeDrawn(saltCount(core, retrievals)) : undefined;
  if (salts === undefined || parents.length + retrievals.length > 0) {
    const recording = recordPrepared(core, output, salts, asResult);
    return output.subject === undefined ? recording : whileRecording(core.salts, recording);
  }
  try {
    return commitAndWrite(core, output, salts, undefined, asResult);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Records of subjects that have taken their salts and may not be written yet, by device. */
const ofSubjects = new WeakMap<SaltStore, Set<Promise<unknown>>>();

/** Resolves when every record of a subject that was begun before is written, or was refused. */
export async function subjectRecordingsSettled({ salts }: Pick<DeviceCore, "salts">): Promise<void> {
  await Promise.allSettled([...(ofSubjects.get(salts) ?? [])]);
}

/** Lets an erasure wait for what is being recorded of a subject. */
export function whileRecording<T>(salts: SaltStore, recording: Promise<T>): Promise<T> {
  const all = ofSubjects.get(salts) ?? new Set();
  ofSubjects.set(salts, all.add(recording));
  const over = () => all.delete(recording);
  recording.then(over, over);
  return recording;
}

/** What has to be waited for before a record can be written. */
async function recordPrepared<T>(
  core: DeviceCore,
  output: Output,
  drawn: readonly Salt[] | undefined,
  asResult: (place: RecordPlace) => T,
): Promise<T> {
  const { parents = noReferences, retrievals = noContents, subject } = output;
  const count = saltCount(core, retrievals);
  const salts = drawn ?? (await (subject === undefined ? core.salts.take(count) : core.salts.takeFor(subject, count)));
  const committed = retrievals.map((content, i) => asSalted(commitTo("retrieval", content, salts[2 + i]!)));
  const references = await referenceFields(core, parents, committed);
  return commitAndWrite(core, output, salts, references, asResult);
}

/** For input and output, for what was retrieved, and for the capture level where that is a commitment: the last one. */
function saltCount({ config }: DeviceCore, retrievals: readonly CanonicalContent[]): number {
  return 2 + retrievals.length + (config.capture === "matching" ? 1 : 0);
}

function commitAndWrite<T>(
  core: DeviceCore,
  output: Output,
  salts: readonly Salt[],
  references: ReferenceFields | undefined,
  asResult: (place: RecordPlace) => T,
): Promise<T> {
  const [inputSalt, outputSalt] = salts as readonly [Salt, Salt];
  const input = commitTo("input", output.input, inputSalt);
  const result = commitTo("output", output.output, outputSalt);
  const more = optionalFields(output, references);
  const written = whenRoom(core, () => {
    const captured = isCaptured(core, output);
    const captureLevel = captured ? captureLevels.full : captureLevels.none;
    const { durationMicros } = output;
    const fields = { input, output: result, durationMicros, captureLevel };
    const place = core.recorder.inference(output.load, {
      ...fields,
      more: core.config.capture === "matching" ? { ...more, captureLevel: commitToLevel(captureLevel, salts) } : more,
    });
    core.repeats.note(output.input.hash);
    core.autoSeal.watch(place.committed);
    const released = core.gate.release(place, asResult(place));
    if (!captured) return { released };
    // In the same turn as the index was given: payloads are kept in order of index.
    const kept = keepPayloads(core, place.index, output, inputSalt, outputSalt);
    return { released: released.then((result) => kept.then(() => result)) };
  });
  return written instanceof Promise ? written.then(({ released }) => released) : written.released;
}

function optionalFields({ parameters, usage }: Output, references: ReferenceFields | undefined): RecordFields["more"] {
  if (parameters === undefined && usage === undefined) return references;
  return {
    ...references,
    ...(parameters && { parameters: encodeParameters(parameters) }),
    ...(usage && { usage: encodeUsage(usage) }),
  };
}

function isCaptured({ config, payloads }: DeviceCore, { input, output }: Output): boolean {
  if (config.capture === "none") return false;
  if (!payloads.hasRoomFor(input.bytes.length + output.bytes.length + 2 * sealedOverhead)) return false;
  return config.capture === "full" || (config.captureWhen !== null && matchesRule(config.captureWhen, output));
}

/** Where the output decides, the level would tell of it, so that the entry commits to it (evidence.md 7): JSON, `0` or `1`. */
function commitToLevel(level: number, salts: readonly Salt[]): SaltedCommitment {
  const bytes = utf8(String(level));
  const content = { mediaType: mediaTypes.json, bytes, hash: sha256Text(bytes) };
  return asSalted(commitTo("capture", content, salts.at(-1)!));
}

/** A payload that cannot be kept costs training data, not evidence: the store pauses, and the output goes. */
function keepPayloads(
  { payloads }: DeviceCore,
  index: number,
  { input, output }: Output,
  inputSalt: Salt,
  outputSalt: Salt,
): Promise<void> {
  const sealed = (role: PayloadRole, { mediaType, bytes }: CanonicalContent, { slot, key }: Salt) =>
    sealPayload({ index, role, slot, mediaType, bytes }, key);
  return payloads.append([sealed("input", input, inputSalt), sealed("output", output, outputSalt)]).catch(() => {});
}

type ReferenceFields = Pick<Inference, "parents" | "parentsBlob" | "retrievals" | "retrievalsBlob">;

const noReferences: readonly RecordReference[] = [];
const noContents: readonly CanonicalContent[] = [];

async function referenceFields(
  { outbox }: DeviceCore,
  parents: readonly RecordReference[],
  retrievals: readonly SaltedCommitment[],
): Promise<ReferenceFields> {
  const parentList = () => parents.map(({ origin, index, leaf }): CborValue => [origin, index, leaf]);
  const retrievalList = () => retrievals.map(({ commitment, slot }): CborValue => [commitment, slot]);
  return {
    ...(parents.length > maxInlineReferences
      ? { parentsBlob: await outbox.put(encodeCbor(parentList())) }
      : parents.length > 0 && { parents }),
    ...(retrievals.length > maxInlineReferences
      ? { retrievalsBlob: await outbox.put(encodeCbor(retrievalList())) }
      : retrievals.length > 0 && { retrievals }),
  };
}
