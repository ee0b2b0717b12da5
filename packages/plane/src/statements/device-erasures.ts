import {
  type Digest,
  type Envelope,
  type ErasedSegment,
  type Erasure,
  EvidenceError,
  type KeySet,
  parseErasure,
  requireDeviceSignature,
} from "@tally/evidence";
import { type Database, OciError, type Registry } from "@tally/oci";
import { PlaneError } from "../error.ts";

export interface DeviceErasuresOptions {
  readonly db: Database;
  /** Where segments lie. */
  readonly registry: () => Pick<Registry, "eraseBlob">;
  /** Which manifest has which part: the built-in registry's own table, or what came through to an outside one. */
  readonly parts: "registry_part" | "outside_part";
  /** The keys of a ledger in good standing. */
  readonly keySet: (origin: string) => Promise<KeySet>;
}

/**
 * Erasures that devices state (evidence.md 7): whether a device may say it, and what it means here. A device has power only
 * over layers that it brought itself, of segments that its own mirrored ledger names.
 */
export class DeviceErasures {
  readonly #options: DeviceErasuresOptions;

  constructor(options: DeviceErasuresOptions) {
    this.#options = options;
  }

  /**
   * The key ids of the device that signed the erasure, when it may say so.
   *
   * @param bringer the ledger of the device that brings it; null for a person
   * @throws PlaneError `forbidden`, `blocked`, `not-found`, `not-ready` for segments that the ledger does not name yet
   */
  async requireRights(envelope: Envelope, bringer: string | null): Promise<readonly string[]> {
    const erasure = parseErasure(envelope.statement);
    if (bringer !== null && bringer !== erasure.origin) {
      throw new PlaneError("forbidden", `${bringer} cannot erase what ${erasure.origin} recorded`);
    }
    const keySet = await this.#options.keySet(erasure.origin);
    let keyIds: readonly string[];
    try {
      keyIds = requireDeviceSignature(envelope, keySet).map(({ keyId }) => keyId);
    } catch (cause) {
      if (!(cause instanceof EvidenceError)) throw cause;
      throw new PlaneError("forbidden", `the erasure is not the device's word: ${cause.message}`, { cause });
    }
    for (const segment of erasure.segments) await this.#requireOwn(erasure.origin, segment);
    return keyIds;
  }

  /** Deletes what the erasure names. Doing it again changes nothing. */
  async carryOut({ origin, segments }: Erasure): Promise<void> {
    for (const segment of segments) {
      for (const layer of segment.layers) {
        for (const repository of await this.#ownLayer(origin, segment.manifest, layer)) {
          await this.#erase(repository, layer, segment.manifest);
        }
      }
    }
  }

  /** An outside registry may refuse, or be away: the erasure is then not acknowledged, and comes again. */
  async #erase(repository: string, layer: Digest, manifest: Digest): Promise<void> {
    try {
      await this.#options.registry().eraseBlob(repository, layer, manifest);
    } catch (cause) {
      if (!(cause instanceof OciError) || this.#options.parts === "registry_part") throw cause;
      throw new PlaneError("not-ready", `${layer} of ${repository} is not erased yet: ${cause.message}`, {
        cause,
        ...(cause.hint !== undefined && { hint: cause.hint }),
      });
    }
  }

  async #requireOwn(origin: string, { manifest, layers, replacement }: ErasedSegment): Promise<void> {
    for (const artifact of [manifest, ...(replacement === undefined ? [] : [replacement])]) {
      const sql = "SELECT 1 AS found FROM segment WHERE origin = ? AND artifact = ? LIMIT 1";
      if ((await this.#options.db.query(sql, [origin, artifact])).length > 0) continue;
      throw new PlaneError("not-ready", `no entry of ${origin} that arrived here names the segment ${artifact}`, {
        hint: "sync the device first",
      });
    }
    for (const layer of layers) {
      if ((await this.#ownLayer(origin, manifest, layer)).length > 0) continue;
      throw new PlaneError("forbidden", `${layer} is no layer of ${manifest} that ${origin} brought`);
    }
  }

  /** The repositories in which the layer is this device's alone: it brought it, and every manifest that has it. */
  async #ownLayer(origin: string, manifest: Digest, layer: Digest): Promise<readonly string[]> {
    const rows = await this.#options.db.query<{ repository: string }>(
      `SELECT p.repository FROM ${this.#options.parts} p
        JOIN pushed m ON m.repository = p.repository AND m.digest = p.manifest AND m.origin = ?
        JOIN pushed l ON l.repository = p.repository AND l.digest = p.part AND l.origin = ?
       WHERE p.manifest = ? AND p.part = ? AND NOT EXISTS (
        SELECT 1 FROM ${this.#options.parts} o LEFT JOIN pushed q ON q.repository = o.repository AND q.digest = o.manifest
         WHERE o.repository = p.repository AND o.part = p.part AND (q.origin IS NULL OR q.origin <> ?))`,
      [origin, origin, manifest, layer, origin],
    );
    return rows.map(({ repository }) => repository);
  }
}
