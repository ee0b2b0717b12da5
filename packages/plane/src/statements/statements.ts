import {
  approvalType,
  type Digest,
  decodeCbor,
  decodeEntry,
  digestFromHash,
  digestOf,
  type Envelope,
  encodeCbor,
  type Hash,
  hashFromDigest,
  type LeafHash,
  maxInlineItems,
  parseEnvelope,
  parseRelease,
  type Role,
  releaseType,
  type StatementItem,
  type StatementLeaf,
  type StatementResponse,
  subjectDigests,
  verifyEnvelope,
} from "@tally/evidence";
import type { Clock } from "@tally/ledger";
import type { BlobStore, Database } from "@tally/oci";
import type { StatementRow } from "../audit/source.ts";
import { PlaneError } from "../error.ts";
import type { PlaneLogs } from "../log/plane-logs.ts";
import { maxEnvelopeBytes, type OfferedStatement, readOffer, requireKnownSigner, requireRights } from "./admission.ts";
import { passApprovalGate, passReleaseGate } from "./gates.ts";
import type { Identities } from "./identities.ts";
import { repositoriesOf } from "./model-statements.ts";
import { type IndexedStatement, StatementRows } from "./statement-rows.ts";

export interface StatementsOptions {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly logs: PlaneLogs;
  readonly identities: Identities;
  readonly clock: Clock;
}

/** A statement's place in the plane's log, proven. */
export interface ProvenPlace {
  readonly index: number;
  readonly entry: Uint8Array;
  readonly leaf: LeafHash;
  /** From the leaf's sibling upward. */
  readonly proof: readonly Hash[];
}

/** Entries read at a time when rows are made again. */
const batchLength = 1024;

/**
 * The signed statements of the plane's log. One is added at a time: envelope durable as a blob, leaf durable in the log,
 * rows in the index. A crash between the last two costs nothing: rows follow from the log.
 */
export class Statements {
  readonly #options: StatementsOptions;
  readonly #rows: StatementRows;
  #last: Promise<unknown> = Promise.resolve();
  #mayBeBehind = true;

  constructor(options: StatementsOptions) {
    this.#options = options;
    this.#rows = new StatementRows(options.db, options.logs.log.origin);
  }

  /**
   * Makes the rows that the log has statements for and the index has not. Called at start.
   *
   * @throws PlaneError `configuration` where the index is newer than the log, `internal` where an envelope is lost
   */
  async rebuild(): Promise<void> {
    await this.#rows.createTables();
    await this.#oneAtATime(() => this.#catchUp());
  }

  /**
   * Takes a statement: readable, signed by a known identity that may say it, brought by a role that may bring it, and
   * allowed by the policy where it releases or approves. The same envelope again gets the same answer.
   *
   * @param repository pattern of the repositories that the bringer's token is for
   * @throws PlaneError `bad-request`, `too-large`, `forbidden`, `policy-denied`, `conflict`
   */
  async add(envelopeBytes: Uint8Array, role: Role, repository = "*"): Promise<StatementResponse> {
    const offered = readOffer(envelopeBytes, role);
    const { envelope } = offered;
    return this.#oneAtATime(async () => {
      if (this.#mayBeBehind) await this.#catchUp();
      const held = await this.#rows.row(envelope.digest);
      if (held !== undefined) return { digest: held.envelope, index: held.index };
      const trust = await this.#options.identities.trust();
      const signers = requireKnownSigner(envelope, trust);
      const repositories = await this.#repositoriesOf(offered);
      requireRights(offered, signers, repositories, { bringer: { role, repository }, trust });
      const gate = { source: this, blobs: this.#options.blobs, clock: this.#options.clock };
      if (envelope.statement.predicateType === approvalType) {
        await passApprovalGate(envelope, repositories, trust, gate);
      }
      if (envelope.statement.predicateType === releaseType) {
        await this.#requireNextSequence(envelope);
        await passReleaseGate(envelope, trust, gate);
      }
      const signedBy = signers.map(({ keyId }) => keyId);
      return { digest: envelope.digest, index: await this.#store(envelope, signedBy) };
    });
  }

  /** Statements with this subject, by index. */
  about(subject: Digest): Promise<readonly StatementRow[]> {
    return this.#rows.about(subject);
  }

  row(envelope: Digest): Promise<StatementRow | undefined> {
    return this.#rows.row(envelope);
  }

  /** By index, with the names of who signed. */
  async list(filter: { readonly subject?: Digest; readonly type?: string } = {}): Promise<readonly StatementItem[]> {
    const { identities } = await this.#options.identities.trust();
    const names = new Map(identities.map(({ keyId, name }) => [keyId, name]));
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

  async #store(envelope: Envelope, signedBy: readonly string[]): Promise<number> {
    const { blobs, logs } = this.#options;
    const { digest, bytes, statement } = envelope;
    await blobs.put(digest, bytes);
    const subjects = subjectDigests(statement);
    const leaf = { kind: "statement", envelope: digest, predicateType: statement.predicateType } as const;
    this.#mayBeBehind = true;
    const index = await logs.append("log", { ...leaf, ...(await this.#inlineOrBlob(subjects)) });
    const row = { envelope: digest, index, predicateType: statement.predicateType, subjects, signedBy, statement };
    await this.#rows.add([row], index + 1);
    this.#mayBeBehind = false;
    return index;
  }

  async #inlineOrBlob(subjects: readonly Digest[]): Promise<Pick<StatementLeaf, "subjects" | "subjectsBlob">> {
    if (subjects.length <= maxInlineItems) return { subjects };
    const list = encodeCbor(subjects.map(hashFromDigest));
    const subjectsBlob = digestOf(list);
    await this.#options.blobs.put(subjectsBlob, list);
    return { subjects: [], subjectsBlob };
  }

  async #catchUp(): Promise<void> {
    const { log } = this.#options.logs;
    const { size } = log;
    let next = await this.#rows.next();
    if (next > size) {
      throw new PlaneError("configuration", `the database knows ${next} entries of ${log.origin}, which has ${size}`, {
        hint: "logs and database are of different times: restore both from one backup",
      });
    }
    while (next < size) {
      const end = Math.min(next + batchLength, size);
      const found: IndexedStatement[] = [];
      let index = next;
      for await (const bytes of log.entries(next, end)) {
        const entry = decodeEntry(bytes);
        if (entry.kind === "statement") found.push(await this.#indexed(index, entry));
        index += 1;
      }
      await this.#rows.add(found, end);
      next = end;
    }
    this.#mayBeBehind = false;
  }

  async #indexed(index: number, leaf: StatementLeaf): Promise<IndexedStatement> {
    const { blobs, identities } = this.#options;
    const { envelope: digest, predicateType, subjectsBlob } = leaf;
    try {
      const envelope = parseEnvelope(await blobs.bytes(digest, maxEnvelopeBytes));
      const signedBy = verifyEnvelope(envelope, (await identities.trust()).identities).map(({ keyId }) => keyId);
      const subjects =
        subjectsBlob === undefined
          ? leaf.subjects
          : (decodeCbor(await blobs.bytes(subjectsBlob, maxEnvelopeBytes)) as readonly Hash[]).map(digestFromHash);
      return { envelope: digest, index, predicateType, subjects, signedBy, statement: envelope.statement };
    } catch (cause) {
      throw new PlaneError("internal", `the envelope ${digest} of entry ${index} of the plane's log cannot be read`, {
        cause,
        hint: "restore the blob from a backup: the log commits to it",
      });
    }
  }

  #oneAtATime<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#last.then(step);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
