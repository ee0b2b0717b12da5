import {
  type Digest,
  decodeCbor,
  decodeEntry,
  digestFromHash,
  digestOf,
  type Envelope,
  encodeCbor,
  type Hash,
  hashFromDigest,
  maxInlineItems,
  parseEnvelope,
  type StatementLeaf,
  subjectDigests,
} from "@tally/evidence";
import type { BlobStore } from "@tally/oci";
import { PlaneError } from "../error.ts";
import type { PlaneLogs } from "../log/plane-logs.ts";
import { maxEnvelopeBytes } from "./admission.ts";
import type { Identities } from "./identities.ts";
import { knownSigners } from "./signers.ts";
import type { IndexedStatement, StatementRows } from "./statement-rows.ts";

export interface StatementLogOptions {
  readonly blobs: BlobStore;
  readonly logs: PlaneLogs;
  readonly identities: Identities;
  readonly rows: StatementRows;
}

/** Entries read at a time when rows are made again. */
const batchLength = 1024;

/**
 * Puts statements into the plane's log: envelope durable as a blob, leaf durable in the log, rows in the index. A crash
 * between the last two costs nothing: rows follow from the log. One caller at a time.
 */
export class StatementLog {
  readonly #options: StatementLogOptions;
  #mayBeBehind = true;

  constructor(options: StatementLogOptions) {
    this.#options = options;
  }

  /** Resolves with the entry's index when all of it is durable. */
  async append(envelope: Envelope, signedBy: readonly string[]): Promise<number> {
    const { blobs, logs, rows } = this.#options;
    const { digest, bytes, statement } = envelope;
    const { predicateType } = statement;
    const subjects = subjectDigests(statement);
    await blobs.put(digest, bytes);
    const listed = await this.#inlineOrBlob(subjects);
    this.#mayBeBehind = true;
    const index = await logs.append("log", { kind: "statement", envelope: digest, predicateType, ...listed });
    await rows.add([{ envelope: digest, index, predicateType, subjects, signedBy, statement }], index + 1);
    this.#mayBeBehind = false;
    return index;
  }

  /**
   * Makes the rows that the log has statements for and the index has not: after a start, and after a failure.
   *
   * @throws PlaneError `configuration` where the index is newer than the log, `internal` where an envelope is lost
   */
  async catchUp(): Promise<void> {
    if (!this.#mayBeBehind) return;
    const { rows, logs } = this.#options;
    const { origin, size } = logs.log;
    let next = await rows.next();
    if (next > size) {
      throw new PlaneError("configuration", `the database knows ${next} entries of ${origin}, which has ${size}`, {
        hint: "logs and database are of different times: restore both from one backup",
      });
    }
    while (next < size) {
      const end = Math.min(next + batchLength, size);
      await rows.add(await this.#read(next, end), end);
      next = end;
    }
    this.#mayBeBehind = false;
  }

  async #read(from: number, to: number): Promise<readonly IndexedStatement[]> {
    const found: IndexedStatement[] = [];
    let index = from;
    for await (const bytes of this.#options.logs.log.entries(from, to)) {
      const entry = decodeEntry(bytes);
      if (entry.kind === "statement") found.push(await this.#index(index, entry));
      index += 1;
    }
    return found;
  }

  async #index(index: number, leaf: StatementLeaf): Promise<IndexedStatement> {
    const { blobs, identities } = this.#options;
    const { envelope: digest, predicateType, subjectsBlob } = leaf;
    const trust = await identities.trust();
    try {
      const envelope = parseEnvelope(await blobs.bytes(digest, maxEnvelopeBytes));
      const signedBy = (await knownSigners(envelope, trust)).map(({ keyId }) => keyId);
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

  async #inlineOrBlob(subjects: readonly Digest[]): Promise<Pick<StatementLeaf, "subjects" | "subjectsBlob">> {
    if (subjects.length <= maxInlineItems) return { subjects };
    const list = encodeCbor(subjects.map(hashFromDigest));
    const subjectsBlob = digestOf(list);
    await this.#options.blobs.put(subjectsBlob, list);
    return { subjects: [], subjectsBlob };
  }
}
