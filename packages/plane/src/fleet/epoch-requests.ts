import {
  type Digest,
  decodeEntry,
  decodeEntryBundle,
  digestFromHash,
  type EpochRequest,
  equalBytes,
  Frontier,
  fromBase64,
  type Genesis,
  hashLeaf,
  parseCheckpoint,
  parseDigest,
  perfectNodes,
  type RestoredFrom,
  utf8,
  verifyAllOf,
} from "@tally/evidence";
import type { Clock, MirroredLog } from "@tally/ledger";
import type { BlobStore, Database } from "@tally/oci";
import { PlaneError } from "../error.ts";
import { type DeviceRow, encodeKeySet } from "./device-row.ts";
import { requireKeys } from "./read-enrolment.ts";

/** A new ledger that a device asks to go on in, and that nobody has accepted yet. */
export interface EpochRequestRow {
  readonly origin: string;
  readonly device_id: string;
  readonly epoch: number;
  readonly genesis: Digest;
  readonly key_set: Uint8Array;
  readonly mirrored_size: number;
  readonly orphan_size: number;
  readonly orphan_from: number | null;
  readonly bundles: string;
  readonly at: number;
}

const maxBundleBytes = 16_000_000;

/** Devices that ask to go on in a new epoch (evidence.md 2): what they say is checked, and a person decides. */
export class EpochRequests {
  readonly #plane: string;
  readonly #db: Database;
  readonly #blobs: BlobStore;
  readonly #clock: Clock;

  constructor(parts: { plane: string; db: Database; blobs: BlobStore; clock: Clock }) {
    this.#plane = parts.plane;
    this.#db = parts.db;
    this.#blobs = parts.blobs;
    this.#clock = parts.clock;
  }

  /**
   * Keeps a request that holds together: the keys signed, the mirrored head is one that the plane has, and the branch that was
   * brought is the one that the genesis entry commits to. A later request for the same ledger takes the place of an earlier one.
   *
   * @param last the device's newest ledger
   * @throws PlaneError `bad-request`, `conflict`
   */
  async ask(request: EpochRequest, last: DeviceRow, mirrored: MirroredLog | undefined): Promise<void> {
    const { origin } = request;
    let genesis: Genesis;
    try {
      genesis = readGenesis(this.#plane, request, last);
      await requireMirrored(genesis, mirrored);
      await this.#requireBranch(request, genesis, mirrored);
    } catch (cause) {
      if (cause instanceof PlaneError) throw cause;
      throw new PlaneError("bad-request", `the new epoch does not hold: ${(cause as Error).message}`, { cause });
    }
    const { epoch, deviceId, keySet, predecessor } = genesis;
    const bytes = fromBase64(request.genesis);
    await this.#db.run(
      `INSERT INTO epoch_request (origin, device_id, epoch, genesis, key_set, mirrored_size, orphan_size, orphan_from, bundles, at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE SET genesis = excluded.genesis,
       key_set = excluded.key_set, mirrored_size = excluded.mirrored_size, orphan_size = excluded.orphan_size,
       orphan_from = excluded.orphan_from, bundles = excluded.bundles, at = excluded.at`,
      [
        origin,
        deviceId,
        epoch,
        digestFromHash(hashLeaf(bytes)),
        encodeKeySet(keySet),
        predecessor?.mirroredSize ?? 0,
        predecessor?.orphanSize ?? 0,
        request.orphan?.from ?? null,
        JSON.stringify(request.orphan?.bundles ?? []),
        this.#clock.now(),
      ],
    );
  }

  async find(origin: string): Promise<EpochRequestRow | undefined> {
    return (await this.#db.query<EpochRequestRow>("SELECT * FROM epoch_request WHERE origin = ?", [origin]))[0];
  }

  /** Of one device, or of all. */
  async list(deviceId?: string): Promise<readonly EpochRequestRow[]> {
    return deviceId === undefined
      ? this.#db.query<EpochRequestRow>("SELECT * FROM epoch_request ORDER BY at")
      : this.#db.query<EpochRequestRow>("SELECT * FROM epoch_request WHERE device_id = ? ORDER BY epoch", [deviceId]);
  }

  async #requireBranch(
    { orphan }: EpochRequest,
    { predecessor }: Genesis,
    mirrored: MirroredLog | undefined,
  ): Promise<void> {
    if (orphan === null || predecessor === undefined) return;
    const { from, bundles } = orphan;
    const { orphanSize, orphanRoot } = predecessor;
    if (from > (mirrored?.size ?? 0)) throw new Error(`the branch begins at entry ${from}, above what is mirrored`);
    const before = await Promise.all(perfectNodes([0, from]).map(({ level, index }) => mirrored!.node(level, index)));
    const tree = Frontier.from(from, before);
    for (const bundle of bundles) {
      if (tree.size >= orphanSize) throw new Error("more of the branch was brought than its head commits to");
      const bytes = await this.#blobs.bytes(parseDigest(bundle), maxBundleBytes);
      for (const entry of decodeEntryBundle(bytes)) tree.append(hashLeaf(entry));
    }
    if (tree.size !== orphanSize || !equalBytes(tree.root(), orphanRoot)) {
      throw new Error("the branch that was brought is not the one that the genesis entry names");
    }
    // What devices bring may be collected. This is evidence, and the plane's own to keep.
    for (const bundle of bundles) {
      const digest = parseDigest(bundle);
      await this.#blobs.put(digest, await this.#blobs.bytes(digest, maxBundleBytes));
    }
  }
}

export function restoredFrom(row: EpochRequestRow): RestoredFrom {
  return {
    mirroredSize: row.mirrored_size,
    orphanSize: row.orphan_size,
    orphanFrom: row.orphan_from,
    bundles: (JSON.parse(row.bundles) as string[]).map((digest) => parseDigest(digest)),
  };
}

function readGenesis(plane: string, request: EpochRequest, last: DeviceRow): Genesis {
  const bytes = fromBase64(request.genesis);
  const entry = decodeEntry(bytes);
  if (entry.kind !== "genesis") throw new Error(`the first entry is ${entry.kind}, not genesis`);
  if (entry.deviceId !== last.device_id) throw new Error(`the first entry is of device ${entry.deviceId}`);
  if (entry.epoch <= last.epoch) {
    throw new PlaneError(
      "conflict",
      `device ${last.device_id} is in epoch ${last.epoch}; ${entry.epoch} is no later one`,
      {
        hint: "the folder is a copy from an earlier epoch: use the device's own, or enrol a new device",
      },
    );
  }
  if (request.origin !== `${plane}/d/${entry.deviceId}/${entry.epoch}` || entry.plane !== plane) {
    throw new Error(`the origin is not ${plane}/d/<device id>/<epoch>`);
  }
  if (entry.predecessor === undefined) throw new Error("the first entry names no predecessor");
  requireKeys(entry.keySet);
  const { note, checkpoint } = parseCheckpoint(utf8(request.checkpoint));
  verifyAllOf(note, request.origin, entry.keySet);
  if (checkpoint.size !== 1 || !equalBytes(checkpoint.root, hashLeaf(bytes))) {
    throw new Error("the checkpoint is not of the genesis entry alone");
  }
  return entry;
}

/** A device may name an earlier head than the newest: entries may have arrived from elsewhere since. */
async function requireMirrored({ predecessor }: Genesis, mirrored: MirroredLog | undefined): Promise<void> {
  const { mirroredSize, mirroredRoot } = predecessor!;
  const size = mirrored?.mirrored?.checkpoint.size ?? 0;
  if (mirroredSize > size) throw new Error(`${mirroredSize} entries of the ledger before are not mirrored here`);
  const root = mirroredSize === 0 ? Frontier.empty().root() : await mirrored!.root(mirroredSize);
  if (!equalBytes(root, mirroredRoot)) throw new Error(`the ledger before had another root at size ${mirroredSize}`);
}
