import {
  approvalType,
  type Digest,
  type Envelope,
  erasureType,
  type Hash,
  type LeafHash,
  parseEnvelope,
  parseErasure,
  parseRelease,
  quarantineType,
  type Role,
  releaseType,
  type StatementItem,
  type StatementResponse,
  subjectDigests,
} from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import type { BlobStore, Database } from "@tally/oci";
import type { StatementRow } from "../audit/source.ts";
import { PlaneError } from "../error.ts";
import type { PlaneLogs } from "../log/plane-logs.ts";
import { maxEnvelopeBytes, type OfferedStatement, readOffer, requireKnownSigner, requireRights } from "./admission.ts";
import type { DeviceErasures } from "./device-erasures.ts";
import { passApprovalGate, passReleaseGate } from "./gates.ts";
import type { Identities } from "./identities.ts";
import { repositoriesOf } from "./model-statements.ts";
import { requireQuarantinable } from "./quarantine-subjects.ts";
import type { RevokedKeys } from "./revoked-keys.ts";
import { StatementLog } from "./statement-log.ts";
import { StatementRows } from "./statement-rows.ts";

export interface StatementsOptions {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly logs: PlaneLogs;
  readonly identities: Identities;
  readonly clock: Clock;
  /** Left out where no devices are. */
  readonly erasures?: DeviceErasures;
  /** Without them no key is revoked. */
  readonly revoked?: RevokedKeys;
}

/** A statement's place in the plane's log, proven. */
export interface ProvenPlace {
  readonly index: number;
  readonly entry: Uint8Array;
  readonly leaf: LeafHash;
  /** From the leaf's sibling upward. */
  readonly proof: readonly Hash[];
}

/** The signed statements of the plane's log: who may add which, and what there is. One is added at a time. */
export class Statements {
  readonly #options: StatementsOptions;
  readonly #rows: StatementRows;
  readonly #log: StatementLog;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: StatementsOptions) {
    this.#options = options;
    this.#rows = new StatementRows(options.db, options.logs.log.origin);
    this.#log = new StatementLog({ ...options, rows: this.#rows });
  }

  /**
   * Makes the rows that the log has statements for and the index has not. Called at start.
   *
   * @throws PlaneError `configuration` where the index is newer than the log, `internal` where an envelope is lost
   */
  async rebuild(): Promise<void> {
    await this.#rows.createTables();
    await this.#oneAtATime(() => this.#log.catchUp());
  }

  /** Carries out every erasure of the log again: a stop, or a restored backup, may have left what they name. */
  async repeatErasures(): Promise<void> {
    for (const { envelope } of await this.#rows.list({ type: erasureType })) {
      const bytes = await this.#options.blobs.bytes(envelope, maxEnvelopeBytes);
      await this.#options.erasures?.carryOut(parseErasure(parseEnvelope(bytes).statement));
    }
  }

  /**
   * Takes a statement: readable, signed by a known identity that may say it, brought by a role that may bring it, and
   * allowed by the policy where it releases or approves. The same envelope again gets the same answer.
   *
   * @param repository pattern of the repositories that the bringer's token is for
   * @param device the ledger of the device that brings it
   * @throws PlaneError `bad-request`, `too-large`, `forbidden`, `policy-denied`, `conflict`
   */
  async add(
    envelopeBytes: Uint8Array,
    role: Role,
    repository = "*",
    device: string | null = null,
  ): Promise<StatementResponse> {
    const offered = readOffer(envelopeBytes, role);
    const { envelope } = offered;
    if (envelope.statement.predicateType === erasureType) return this.#addErasure(envelope, device);
    const { revoked } = this.#options;
    return this.#oneAtATime(async () => {
      await this.#log.catchUp();
      const held = await this.#rows.row(envelope.digest);
      if (held !== undefined) return { digest: held.envelope, index: held.index };
      const trust = await this.#options.identities.trust();
      const known = await requireKnownSigner(envelope, trust);
      const ids = known.map(({ keyId }) => keyId);
      const standing = (await revoked?.requireOne(trust, ids)) ?? trust;
      const standingIds = new Set([...standing.identities, ...standing.keyless].map(({ keyId }) => keyId));
      const signers = known.filter(({ keyId }) => standingIds.has(keyId));
      const repositories = await this.#repositoriesOf(offered);
      requireRights(offered, signers, repositories, {
        bringer: { role, repository },
        atMs: this.#options.clock.now(),
      });
      const trustFor = async (index: number) => (await revoked?.trustFor(trust, index)) ?? trust;
      const provenBy = async (index: number) => (await revoked?.provenBy(index)) ?? null;
      const gate = {
        everyone: trust,
        source: this,
        blobs: this.#options.blobs,
        clock: this.#options.clock,
        trustFor,
        provenBy,
      };
      if (envelope.statement.predicateType === quarantineType) {
        await requireQuarantinable(envelope.statement, this, this.#options.db);
      }
      if (envelope.statement.predicateType === approvalType) {
        await passApprovalGate(envelope, repositories, standing, gate);
      }
      if (envelope.statement.predicateType === releaseType) {
        await this.#requireNextSequence(envelope);
        await passReleaseGate(envelope, standing, gate);
      }
      const signedBy = signers.map(({ keyId }) => keyId);
      return { digest: envelope.digest, index: await this.#log.append(envelope, signedBy) };
    });
  }

  /** An erasure is carried out before it is acknowledged: a device that has no answer brings it again. */
  async #addErasure(envelope: Envelope, device: string | null): Promise<StatementResponse> {
    const { erasures } = this.#options;
    if (erasures === undefined) throw new PlaneError("forbidden", "this plane takes no erasures");
    return this.#oneAtATime(async () => {
      await this.#log.catchUp();
      const held = await this.#rows.row(envelope.digest);
      if (held === undefined) await erasures.requireRights(envelope, device);
      const index = held?.index ?? (await this.#log.append(envelope, []));
      await erasures.carryOut(parseErasure(envelope.statement));
      return { digest: envelope.digest, index };
    });
  }

  /** Erasures in a ledger of which some record may be among the entries [from, to), by index. */
  erasures(origin: string, from: number, to: number): Promise<readonly StatementRow[]> {
    return this.#rows.erasures(origin, from, to);
  }

  /** Quarantines of what a device recorded, and of its segments, by index. `origin`: any ledger of the device. */
  quarantines(origin: string): Promise<readonly StatementRow[]> {
    return this.#rows.quarantines(origin);
  }

  /** Statements with this subject, by index. */
  about(subject: Digest): Promise<readonly StatementRow[]> {
    return this.#rows.about(subject);
  }

  row(envelope: Digest): Promise<StatementRow | undefined> {
    return this.#rows.row(envelope);
  }

  /** Whether someone signed it whose key counts for a time only: it is limited to a period, or revoked. */
  async countsByTime(envelope: Digest): Promise<boolean> {
    const signedBy = await this.#rows.signedBy(envelope);
    const { identities, keyless } = await this.#options.identities.trust();
    const limited = [...identities, ...keyless].some(
      ({ keyId, from, until }) => signedBy.includes(keyId) && (from !== undefined || until !== undefined),
    );
    return limited || (await this.#options.revoked?.isAny(signedBy)) === true;
  }

  /** By index, with the names of who signed. */
  async list(filter: { readonly subject?: Digest; readonly type?: string } = {}): Promise<readonly StatementItem[]> {
    const { identities, keyless } = await this.#options.identities.trust();
    const names = new Map([...identities, ...keyless].map(({ keyId, name }) => [keyId, name]));
    return (await this.#rows.list(filter)).map(({ envelope, index, predicateType, subjects, signedBy }) => ({
      digest: envelope,
      index,
      predicateType,
      subjects,
      signedBy: [...new Set(signedBy.map((keyId) => names.get(keyId) ?? keyId))],
    }));
  }

  /** The repository whose model this is said to be, by the newest model statement. @throws PlaneError `not-found` */
  async repositoryOf(model: Digest): Promise<string> {
    const [repository] = await repositoriesOf(this, model);
    if (repository !== undefined) return repository;
    throw new PlaneError("not-found", `no statement of the plane's log says that ${model} is a model`, {
      hint: "give the digest of the model's manifest",
    });
  }

  /** The envelope's exact bytes. @throws PlaneError `not-found` */
  async envelope(digest: Digest): Promise<Uint8Array> {
    await this.#require(digest);
    return this.#options.blobs.bytes(digest, maxEnvelopeBytes);
  }

  /** That the statement is in the log's first `size` entries. @throws PlaneError `not-found`, `not-ready` */
  async proof(envelope: Digest, size: number): Promise<ProvenPlace> {
    const { index } = await this.#require(envelope);
    const { log } = this.#options.logs;
    if (index >= size) {
      throw new PlaneError("not-ready", `${envelope} is entry ${index}, which no checkpoint of size ${size} covers`, {
        hint: "try again when the log has been sealed",
      });
    }
    const [entry, leaf, proof] = await Promise.all([
      log.entry(index),
      log.leafHash(index),
      log.inclusionProof(index, size),
    ]);
    return { index, entry, leaf, proof };
  }

  async #require(envelope: Digest): Promise<StatementRow> {
    const row = await this.#rows.row(envelope);
    if (row === undefined) throw new PlaneError("not-found", `the plane's log has no statement ${envelope}`);
    return row;
  }

  async #repositoriesOf({ envelope: { statement }, rule }: OfferedStatement): Promise<readonly string[]> {
    if (rule.repository !== undefined) return [rule.repository(statement)];
    if (rule.aboutModel !== true) return [];
    const [manifest] = subjectDigests(statement);
    return repositoriesOf(this, manifest!);
  }

  async #requireNextSequence(envelope: Envelope): Promise<void> {
    const { channel, sequence } = parseRelease(envelope.statement);
    const last = (await this.#rows.newestRelease(channel))?.sequence ?? 0;
    if (sequence > last) return;
    throw new PlaneError("conflict", `${channel} is at release ${last}; ${sequence} would not be after it`, {
      hint: `sign the release again with sequence ${last + 1}; going back to an earlier model is a new release too`,
    });
  }

  /** Takes a step during which no statement is added. */
  alone<T>(step: () => Promise<T>): Promise<T> {
    return this.#oneAtATime(step);
  }

  /** Statements from this index of the log on, a page of them. */
  from(index: number, limit: number): Promise<readonly StatementRow[]> {
    return this.#rows.from(index, limit);
  }

  #oneAtATime<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#last.then(step);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
