import { join } from "node:path";
import type { Digest } from "@tally/evidence";
import type { Mirror } from "@tally/ledger";
import { createRegistry, FileBlobStore, type OutsideRegistry, type Registry } from "@tally/oci";
import { DeviceBlobs } from "../access/device-blobs.ts";
import { DeviceQuota } from "../access/device-quota.ts";
import type { Tokens } from "../access/tokens.ts";
import type { Logger } from "../operation/logger.ts";
import type { Metrics } from "../operation/metrics.ts";
import { planeOutsideRegistry } from "../outside-registry.ts";
import { Collections } from "../registry/collections.ts";
import { evidenceNames } from "../registry/evidence-names.ts";
import { RetentionRecord } from "../registry/retention-record.ts";
import { registryAccess } from "../registry-access.ts";
import type { Statements } from "../statements/index.ts";
import { repositoriesOf } from "../statements/model-statements.ts";
import type { Stores } from "./open-stores.ts";
import type { PlaneOptions } from "./plane-options.ts";

interface ArtifactParts {
  readonly stores: Stores;
  readonly mirror: Mirror;
  readonly tokens: Tokens;
  readonly statements: Statements;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Where models, segments and what devices bring lie, and what keeps them in order. */
export interface Artifacts {
  readonly quota: DeviceQuota;
  readonly deviceBlobs: DeviceBlobs;
  readonly registry: Registry;
  /** The same, where it is an outside one. */
  readonly outsideRegistry: OutsideRegistry | undefined;
  readonly retentionRecord: RetentionRecord;
  readonly collections: Collections;
}

/** Bytes of manifests and other small blobs that the registry keeps in memory. */
const registryRemembers = 8 * 1024 * 1024;

/** Opens the registry, the built-in or the outside one, and begins the collections; `opened` ends them. */
export async function openArtifacts(
  options: PlaneOptions,
  { stores, mirror, tokens, statements, metrics, logger }: ArtifactParts,
  opened: AsyncDisposableStack,
): Promise<Artifacts> {
  const { clock, db, blobs, brought, logs } = stores;
  const quota = await DeviceQuota.open(options.deviceBytesPerDay ?? 16 * 2 ** 30, clock, db);
  opened.defer(() => quota.flush());
  const deviceBlobs = new DeviceBlobs({
    db,
    blobs: brought,
    mirror,
    clock,
    metrics,
    onError: (error) => logger.error({ err: error }, "collecting blobs failed"),
  });
  deviceBlobs.start();
  opened.defer(() => deviceBlobs.stop());
  const onError = (error: unknown) => logger.error({ err: error }, "the registry failed");
  const retentionRecord = new RetentionRecord({ db, blobs, logs, clock, logger });
  const settings = options.registry === "built-in" ? undefined : options.registry;
  const isModel = async (manifest: Digest, repository: string) =>
    (await repositoriesOf(statements, manifest)).includes(repository);
  const outsideRegistry = settings && planeOutsideRegistry({ settings, tokens, db, quota, isModel, onError });
  const builtIn = () => {
    // A store of its own: what people may pull is decided by repository, and evidence is nobody's to overwrite.
    const artifacts = new FileBlobStore(join(options.dir, "registry"), { remembered: registryRemembers });
    const present = async (_: string, digest: Digest) => (await artifacts.has(digest)) !== undefined;
    return createRegistry({
      blobs: artifacts,
      db,
      ...registryAccess({ tokens, db, present, quota, parts: "registry_part" }),
      onRefused: (refused) => retentionRecord.refused(refused),
      evidence: evidenceNames({ db, blobs, statements }),
      clock,
      onError,
    });
  };
  const registry = outsideRegistry ?? builtIn();
  const collections = new Collections({ registry, metrics, logger });
  opened.defer(() => collections.stop());
  return { quota, deviceBlobs, registry, outsideRegistry, retentionRecord, collections };
}
