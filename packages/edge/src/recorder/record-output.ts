import {
  type CborValue,
  captureLevels,
  encodeCbor,
  type Inference,
  maxInlineReferences,
  type RecordReference,
  type SaltedCommitment,
} from "@tally/evidence";
import { type CanonicalContent, commitTo } from "../content.ts";
import { type DeviceCore, sealWhenDue, whenRoom } from "../device-core.ts";
import { encodeParameters, encodeUsage, type Parameters, type Usage } from "./decimal.ts";
import type { LiveLoad, RecordPlace } from "./recorder.ts";

/** One output with what led to it. */
export interface Output {
  readonly load: LiveLoad;
  readonly input: CanonicalContent;
  readonly output: CanonicalContent;
  /** How long the model took. */
  readonly durationMicros: number;
  readonly parameters?: Parameters;
  readonly usage?: Usage;
  /** Records whose outputs went into this one. */
  readonly parents?: readonly RecordReference[];
  /** What was retrieved for this output, in order of use. */
  readonly retrievals?: readonly CanonicalContent[];
}

/**
 * Records an output and resolves when it may be released, as the release mode says.
 *
 * @throws EdgeError `entry-too-large`, `record-failed`, `model-released`: the output must then not be used.
 */
export async function recordOutput(core: DeviceCore, output: Output): Promise<RecordPlace> {
  const { recorder, salts, gate } = core;
  const retrieved = output.retrievals ?? [];
  const count = 2 + retrieved.length;
  const [inputSalt, outputSalt, ...retrievalSalts] = salts.takeDrawn(count) ?? (await salts.take(count));
  const input = commitTo("input", output.input, inputSalt!);
  const result = commitTo("output", output.output, outputSalt!);
  const retrievals = retrieved.map((content, i) => commitTo("retrieval", content, retrievalSalts[i]!));
  const parents = output.parents ?? [];
  const references = parents.length + retrievals.length > 0 ? await referenceFields(core, parents, retrievals) : {};
  const { place, written } = await whenRoom(core, () => {
    const captured = isCaptured(core, output);
    const place = recorder.inference(output.load, {
      input,
      output: result,
      ...(output.parameters && { parameters: encodeParameters(output.parameters) }),
      durationMicros: output.durationMicros,
      captureLevel: captured ? captureLevels.full : captureLevels.none,
      ...references,
      ...(output.usage && { usage: encodeUsage(output.usage) }),
    });
    // In the same turn as the index was given: payloads are kept in order of index.
    return { place, written: captured ? keepPayloads(core, place.index, output, input, result) : undefined };
  });
  await gate.pass(place);
  await written;
  sealWhenDue(core);
  return place;
}

function isCaptured({ config, payloads }: DeviceCore, { input, output }: Output): boolean {
  return config.capture === "full" && payloads.hasRoomFor(input.bytes.length + output.bytes.length);
}

/** A payload that cannot be kept costs training data, not evidence: the store pauses, and the output goes. */
function keepPayloads(
  { payloads }: DeviceCore,
  index: number,
  { input, output }: Output,
  { slot: inputSlot }: SaltedCommitment,
  { slot: outputSlot }: SaltedCommitment,
): Promise<void> {
  return payloads
    .append([
      { index, role: "input", slot: inputSlot, mediaType: input.mediaType, bytes: input.bytes },
      { index, role: "output", slot: outputSlot, mediaType: output.mediaType, bytes: output.bytes },
    ])
    .catch(() => {});
}

type ReferenceFields = Pick<Inference, "parents" | "parentsBlob" | "retrievals" | "retrievalsBlob">;

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
