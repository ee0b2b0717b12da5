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
import { sealedOverhead, sealPayload } from "./payload-cipher.ts";
import type { PayloadRole } from "./payload-store.ts";
import type { LiveLoad, RecordPlace } from "./recorder.ts";
import type { Salt } from "./salt-store.ts";

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
  /** An opaque id of whom the record is about: records of one subject are erased together. Never in the ledger. */
  readonly subject?: string;
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
  const taken =
    output.subject === undefined
      ? (salts.takeDrawn(count) ?? (await salts.take(count)))
      : await salts.takeFor(output.subject, count);
  const [inputSalt, outputSalt, ...retrievalSalts] = taken;
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
    return { place, written: captured ? keepPayloads(core, place.index, output, inputSalt!, outputSalt!) : undefined };
  });
  await gate.pass(place);
  await written;
  sealWhenDue(core);
  return place;
}

function isCaptured({ config, payloads }: DeviceCore, { input, output }: Output): boolean {
  return (
    config.capture === "full" && payloads.hasRoomFor(input.bytes.length + output.bytes.length + 2 * sealedOverhead)
  );
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
