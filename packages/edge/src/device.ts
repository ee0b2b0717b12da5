import { bundleMediaType, type RecordReference, toHex, unloadReasons } from "@tally/evidence";
import { type Clock, type Files, systemClock } from "@tally/ledger";
import type { ConfigOverrides } from "./config.ts";
import { canonicalContent } from "./content.ts";
import { type DeviceCore, whenRoom } from "./device-core.ts";
import type { Declaration, DeclaredModel, DeviceStatus, LabelRequest, RecordRequest } from "./device-requests.ts";
import { destroyContents, type ErasureRequest } from "./erasure/destroy.ts";
import { type FinishedErasure, finishErasures } from "./erasure/finish.ts";
import type { ErasurePlan } from "./erasure/plan.ts";
import { EdgeError } from "./error.ts";
import { loadGuarded } from "./models/load-guard.ts";
import { LoadedModel } from "./models/loaded-model.ts";
import { closeCore, openCore } from "./open-core.ts";
import { askPlane } from "./plane/http.ts";
import { PlaneSession } from "./plane/session.ts";
import { type DeviceRecord, deviceRecord, type Receipt, receiptOf, type SyncedReceipts } from "./record.ts";
import { recordLabel } from "./recorder/record-label.ts";
import { type Output, recordOutput } from "./recorder/record-output.ts";
import type { RecordPlace } from "./recorder/recorder.ts";
import { type PackedSegment, packSegments } from "./segments/pack-segments.ts";
import type { AnchorPolicy } from "./sync/anchor-policy.ts";
import { type SyncReport, syncDevice } from "./sync/sync.ts";
import { readSyncState } from "./sync/sync-state.ts";

/** What an erasure has destroyed on the device. */
export interface BegunErasure {
  readonly origin: string;
  /** Indices of the records, and of labels of them. */
  readonly records: readonly number[];
}

export interface OpenOptions {
  readonly dir: string;
  /** Above environment and config.json. */
  readonly config?: ConfigOverrides;
  readonly clock?: Clock;
  /** The journal's disk, so that its faults can be tested. */
  readonly files?: Files;
}

/** Opens a device and begins a run. One process at a time. @throws EdgeError as `openCore` */
export async function openDevice({ dir, config, clock = systemClock, files }: OpenOptions): Promise<Device> {
  return new Device(await openCore({ dir, clock, ...(config && { config }), ...(files && { files }) }));
}

/**
 * A device: it loads models that it has verified, records what they do, and tells its plane when there is one to tell.
 * Every method throws EdgeError.
 */
export class Device {
  readonly origin: string;
  readonly deviceId: string;
  /** What the rest of this room works on. */
  readonly core: DeviceCore;
  readonly session: PlaneSession;
  readonly #models = new Set<LoadedModel>();
  #loading: Promise<unknown> = Promise.resolve();
  #syncing: { readonly anchor: AnchorPolicy; readonly report: Promise<SyncReport> } | undefined;
  #packing: Promise<readonly PackedSegment[]> | undefined;
  #erasing: Promise<unknown> = Promise.resolve();
  #finishing: Promise<readonly FinishedErasure[]> | undefined;
  #closing: Promise<void> | undefined;
  readonly #stop = new AbortController();

  constructor(core: DeviceCore) {
    const { identity, config, folder, clock } = core;
    this.core = core;
    this.origin = identity.origin;
    this.deviceId = identity.deviceId;
    this.session = new PlaneSession(config.url, folder, identity.origin, clock);
  }

  /** Pulls, verifies, measures and records the load of what `repository:channel` leads to; offline, of what it last led to. */
  load(channel: string): Promise<LoadedModel> {
    this.#requireOpen();
    const loading = this.#loading.then(async () => {
      const model = new LoadedModel(this.core, await loadGuarded(this.core, this.session, channel), this.#synced);
      this.#models.add(model);
      return model;
    });
    // One after another: two loads of one model would unpack it twice.
    this.#loading = loading.catch(() => {});
    return loading;
  }

  /** Records that a model runs elsewhere, by whose word. */
  async declare({ grade, runtime, provider, manifest }: Declaration): Promise<DeclaredModel> {
    this.#requireOpen();
    const { core } = this;
    const fields = { manifest: manifest ?? null, files: [], runtime, provider, grade, permit: null } as const;
    const load = await whenRoom(core, () => core.recorder.load({ ...fields, outcome: "accepted", reason: 0 }));
    await load.appended.committed;
    return {
      load,
      async unload() {
        const appended = await whenRoom(core, () => core.recorder.unload(load, unloadReasons.closed));
        await appended?.committed;
      },
    };
  }

  /** Records an output and resolves when it may be released, as the release mode says. */
  record(request: RecordRequest): Promise<DeviceRecord> {
    try {
      this.#requireOpen();
      return recordOutput(this.core, outputOf(request, this.core.config.capture !== "none"), this.#asRecord);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Records ground truth or a correction for a record of this or another ledger. */
  async label({ record, content, who }: LabelRequest): Promise<RecordReference> {
    this.#requireOpen();
    const label = { record, content: canonicalContent(content), who: who ?? this.#ownKeyId() };
    const { index, leaf } = await recordLabel(this.core, label);
    return { origin: this.origin, index, leaf };
  }

  /** Brings the plane up to date. Calls while one is under way share it, unless that one may leave out the anchor and this may not. */
  sync(anchor: AnchorPolicy = "always"): Promise<SyncReport> {
    this.#requireOpen();
    const under = this.#syncing;
    if (under !== undefined) {
      if (under.anchor === "always" || anchor === "when-due") return under.report;
      const again = () => this.sync(anchor);
      return under.report.then(again, again);
    }
    const report = syncDevice(this.core, this.session, { anchor, signal: this.#stop.signal }).finally(() => {
      this.#syncing = undefined;
    });
    this.#syncing = { anchor, report };
    return report;
  }

  /** Packs what capture kept and the plane already has entries of, and pushes it. The next sync tells the plane. */
  packSegments(): Promise<readonly PackedSegment[]> {
    this.#requireOpen();
    this.#packing ??= packSegments(this.core, this.session).finally(() => {
      this.#packing = undefined;
    });
    return this.#packing;
  }

  /**
   * Erases what records commit to: destroys keys and kept contents here, now and durably. The next sync rounds do the rest:
   * segments are replaced, and a signed statement goes into the plane's log.
   *
   * @throws EdgeError `request-invalid` where nothing is recorded of the subject, or there is no such record
   */
  async erase(request: ErasureRequest): Promise<BegunErasure> {
    this.#requireOpen();
    this.#erasing = this.#erasing.then(
      () => destroyContents(this.core, request),
      () => destroyContents(this.core, request),
    );
    const { records } = await (this.#erasing as Promise<ErasurePlan>);
    return { origin: this.origin, records: records.map(({ index }) => index) };
  }

  /** Brings erasures to their end, as far as there are any: replaces segments and tells the plane's log. */
  finishErasures(): Promise<readonly FinishedErasure[]> {
    this.#requireOpen();
    this.#finishing ??= finishErasures(this.core, this.session, () => this.sync()).finally(() => {
      this.#finishing = undefined;
    });
    return this.#finishing;
  }

  /** A receipt for any entry: from the plane if it has it, else from this device's own sealed ledger. */
  receipt(index: number): Promise<Receipt> {
    this.#requireOpen();
    return receiptOf(this.core, index, this.#synced);
  }

  async status(): Promise<DeviceStatus> {
    const { config, ledger, payloads, folder } = this.core;
    const sync = await readSyncState(folder.state);
    return {
      origin: this.origin,
      deviceId: this.deviceId,
      url: config.url,
      release: config.release,
      capture: config.capture,
      size: ledger.nextIndex,
      sealed: ledger.latest?.checkpoint.size ?? 0,
      mirrored: sync?.mirrored ?? 0,
      lastSync: sync?.at ?? null,
      ...(sync?.blocked !== undefined && { blocked: sync.blocked }),
      payloadBytes: payloads.bytes,
      repeats: this.core.repeats.counts(),
      models: [...this.#models]
        .filter(({ load }) => !load.unloaded)
        .map(({ channel, manifest, sequence }) => ({ channel, manifest, sequence })),
    };
  }

  /** Lets go of models, seals the ledger, marks the stop as clean. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stop.abort(new EdgeError("device-closed", "the device was closed"));
    await Promise.allSettled([this.#syncing?.report, this.#packing, this.#loading, this.#erasing, this.#finishing]);
    await Promise.allSettled([...this.#models].map((model) => model.unload()));
    await closeCore(this.core);
  }

  readonly #asRecord = (place: RecordPlace): DeviceRecord => deviceRecord(this.core, place, this.#synced);

  readonly #synced: SyncedReceipts = async (index) => {
    const { mirrored = 0 } = (await readSyncState(this.core.folder.state)) ?? {};
    if (index >= mirrored) return undefined;
    try {
      const answer = await askPlane(this.core.config.url, {
        method: "GET",
        path: `/api/v1/receipts/${this.deviceId}/${index}`,
        session: this.session,
        most: 64 * 1024 * 1024,
        signal: this.#stop.signal,
      });
      return { status: "synced", mediaType: answer.type || bundleMediaType, bytes: answer.bytes };
    } catch (error) {
      // The record is proven locally, then: the plane may be away, or not have sealed what it mirrored.
      if (error instanceof EdgeError && ["unreachable", "denied", "plane-refused"].includes(error.code))
        return undefined;
      throw error;
    }
  };

  #ownKeyId(): string {
    const { id } = this.core.signers[0]!.key;
    return toHex(Uint8Array.of(id >>> 24, id >>> 16, id >>> 8, id));
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new EdgeError("device-closed", `${this.origin} was closed`);
  }
}

/** @param kept whether contents are read later than now */
function outputOf(request: RecordRequest, kept: boolean): Output {
  const { model, input, output, durationMicros = 0, parameters, usage, parents, retrievals, subject } = request;
  return {
    load: model.load,
    input: canonicalContent(input, kept),
    output: canonicalContent(output, kept),
    durationMicros,
    parameters,
    usage,
    parents,
    retrievals: retrievals?.map((content) => canonicalContent(content, false)),
    subject,
  };
}
