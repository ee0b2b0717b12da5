import type { ReceiptSigner } from "@tally/evidence";
import type { Clock, Mirror } from "@tally/ledger";
import type { BlobStore, Database, OutsideRegistry, Registry } from "@tally/oci";
import type { DeviceBlobs } from "./access/device-blobs.ts";
import type { DeviceQuota } from "./access/device-quota.ts";
import type { Sessions } from "./access/sessions.ts";
import type { Tokens } from "./access/tokens.ts";
import type { AnswerSpool, AuditSource } from "./audit/index.ts";
import type { Decisions } from "./fleet/decisions.ts";
import type { EntryRequests } from "./fleet/entry-requests.ts";
import type { Fleet } from "./fleet/fleet.ts";
import type { RequestLimits } from "./http/request-limits.ts";
import type { Checkpoints } from "./log/checkpoints.ts";
import type { PlaneLogs } from "./log/plane-logs.ts";
import type { RestoredGate } from "./log/restored-gate.ts";
import type { Sealer } from "./log/sealer.ts";
import type { Sightings } from "./log/sightings.ts";
import type { Witnesses } from "./log/witnesses.ts";
import type { Metrics } from "./operation/metrics.ts";
import type { Collections } from "./registry/collections.ts";
import type { RetentionRecord } from "./registry/retention-record.ts";
import type { Channels, Identities, Lineage, Quarantines, Statements } from "./statements/index.ts";

/** A plane's parts, put together once by `startPlane` and handed to its routes. */
export interface PlaneParts {
  readonly name: string;
  readonly clock: Clock;
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly logs: PlaneLogs;
  readonly checkpoints: { readonly log: Checkpoints; readonly fleet: Checkpoints };
  readonly witnesses: Witnesses;
  readonly sealer: Sealer;
  readonly mirror: Mirror;
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly sightings: Sightings;
  readonly restored: RestoredGate;
  readonly quota: DeviceQuota;
  readonly deviceBlobs: DeviceBlobs;
  readonly fleet: Fleet;
  readonly entryRequests: EntryRequests;
  readonly identities: Identities;
  readonly statements: Statements;
  readonly decisions: Decisions;
  readonly channels: Channels;
  readonly lineage: Lineage;
  readonly quarantines: Quarantines;
  readonly registry: Registry;
  /** The same, where it is an outside one. */
  readonly outsideRegistry: OutsideRegistry | undefined;
  readonly retentionRecord: RetentionRecord;
  readonly collections: Collections;
  readonly source: AuditSource;
  readonly answers: AnswerSpool;
  /** Signs COSE receipts. */
  readonly receipts: ReceiptSigner;
  readonly metrics: Metrics;
  readonly requests: RequestLimits;
  /** Path of the HTML file that `GET /verify` gives; there need not be one. */
  readonly verifyPage: string;
  /** The page where that file is not; made when it is first asked for. */
  readonly givenVerifyPage: (() => Promise<Uint8Array>) | undefined;
}
