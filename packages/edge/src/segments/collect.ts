import {
  captureLevels,
  type Digest,
  decodeEntry,
  hashLeaf,
  type Inference,
  type Label,
  type Load,
} from "@tally/evidence";
import type { DeviceCore } from "../device-core.ts";
import { openPayload } from "../recorder/payload-cipher.ts";
import type { PlacedEntry } from "./build-rows.ts";
import type { OpenedPayload } from "./payload-sequence.ts";

/** What a range of the ledger holds of one model. */
export interface ModelShare {
  readonly records: PlacedEntry<Inference>[];
  readonly labels: PlacedEntry<Label>[];
  /** Loads that the records name. */
  readonly loads: Set<number>;
}

/** Sorts the captured records and the labels of [from, to) by model. Records of models without a manifest are left out. */
export async function collectShares(core: DeviceCore, from: number, to: number): Promise<Map<Digest, ModelShare>> {
  const { ledger } = core;
  const models = new ModelsOfLoads(core);
  const shares = new Map<Digest, ModelShare>();
  const shareOf = (manifest: Digest): ModelShare => {
    const share = shares.get(manifest) ?? { records: [], labels: [], loads: new Set() };
    shares.set(manifest, share);
    return share;
  };
  let index = from;
  for await (const bytes of ledger.entries(from, to)) {
    const entry = decodeEntry(bytes);
    const place = { index, leaf: hashLeaf(bytes) };
    if (entry.kind === "inference" && entry.captureLevel !== captureLevels.none) {
      const manifest = await models.of(entry.loadIndex);
      if (manifest !== null) {
        const share = shareOf(manifest);
        share.records.push({ ...place, entry });
        share.loads.add(entry.loadIndex);
      }
    } else if (entry.kind === "label" && entry.origin === ledger.origin && entry.index < ledger.size) {
      const about = decodeEntry(await ledger.entry(entry.index));
      const manifest = about.kind === "inference" ? await models.of(about.loadIndex) : null;
      if (manifest !== null) shareOf(manifest).labels.push({ ...place, entry });
    }
    index += 1;
  }
  return shares;
}

/** The payloads of [from, to) with their salts. What was erased has none, and is left out. */
export async function collectPayloads(
  { payloads, salts }: DeviceCore,
  from: number,
  to: number,
): Promise<OpenedPayload[]> {
  const opened: OpenedPayload[] = [];
  for await (const sealed of payloads.read(from, to)) {
    const found = await salts.find(sealed.slot);
    const payload = found && openPayload(sealed, found.key);
    if (payload === undefined) continue;
    const { index, role, mediaType, bytes } = payload;
    opened.push({ index, role, mediaType, salt: found!.salt, bytes });
  }
  return opened;
}

/** Which model each load entry is of. */
class ModelsOfLoads {
  readonly #core: DeviceCore;
  readonly #known = new Map<number, Digest | null>();

  constructor(core: DeviceCore) {
    this.#core = core;
  }

  async of(loadIndex: number): Promise<Digest | null> {
    const known = this.#known.get(loadIndex);
    if (known !== undefined) return known;
    const entry = decodeEntry(await this.#core.ledger.entry(loadIndex)) as Load;
    this.#known.set(loadIndex, entry.manifest);
    return entry.manifest;
  }
}
