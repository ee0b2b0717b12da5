import { type Digest, keyRotationType, type LoggedProof, type PeopleRevocations, toBase64 } from "@tally/evidence";
import type { Database } from "@tally/oci";
import type { Checkpoints } from "../log/checkpoints.ts";
import type { PlaneLogs } from "../log/plane-logs.ts";
import type { Statements } from "./statements.ts";

export interface PeopleKeysOptions {
  readonly db: Database;
  readonly logs: PlaneLogs;
  readonly statements: Statements;
  readonly checkpoints: { readonly log: Checkpoints; readonly fleet: Checkpoints };
}

/** What devices are shown of people's keys: revocations, rotations, and when statements by such keys were logged. */
export class PeopleKeys {
  readonly #options: PeopleKeysOptions;

  constructor(options: PeopleKeysOptions) {
    this.#options = options;
  }

  /** Every revocation of a person's key, under the fleet log's newest cosigned checkpoint; undefined where there is none. */
  async revocations(): Promise<PeopleRevocations | undefined> {
    const { logs, checkpoints } = this.#options;
    const newest = await checkpoints.fleet.newest();
    const indices = newest === undefined ? [] : await this.#indices(newest.size);
    if (newest === undefined || indices.length === 0) return undefined;
    const revocations = indices.map(async ({ idx }) => ({
      index: idx,
      entry: toBase64(await logs.fleet.entry(idx)),
      proof: base64(await logs.fleet.inclusionProof(idx, newest.size)),
    }));
    const checkpoint = Buffer.from(await checkpoints.fleet.bytes(newest.note)).toString("utf8");
    return { checkpoint, revocations: await Promise.all(revocations) };
  }

  /** The rotations among the statements that revocations name, in the log's first `size` entries. */
  async rotations(size: number): Promise<readonly { readonly envelope: Digest; readonly index: number }[]> {
    const { statements } = this.#options;
    const found = await Promise.all(
      (await this.#indices(Number.MAX_SAFE_INTEGER)).map(({ statement }) => statements.row(statement)),
    );
    return found.flatMap((row) =>
      row !== undefined && row.predicateType === keyRotationType && row.index < size
        ? [{ envelope: row.envelope, index: row.index }]
        : [],
    );
  }

  /** When an entry of the plane's log was logged, where one of its signers counts for a time only; `size` is the answer's. */
  async loggedProof(envelope: Digest, index: number, size: number): Promise<LoggedProof | undefined> {
    const { logs, statements, checkpoints } = this.#options;
    if (!(await statements.countsByTime(envelope))) return undefined;
    const first = await checkpoints.log.firstCovering(index);
    if (first === undefined || first.size > size) return undefined;
    const older = await checkpoints.log.lastBelow(index);
    const note = async (digest: Digest) => Buffer.from(await checkpoints.log.bytes(digest)).toString("utf8");
    return {
      checkpoint: await note(first.note),
      proof: base64(await logs.log.inclusionProof(index, first.size)),
      consistency: first.size === size ? [] : base64(await logs.log.consistencyProof(first.size, size)),
      ...(older !== undefined &&
        older.size > 0 && {
          before: {
            checkpoint: await note(older.note),
            consistency:
              older.size === first.size ? [] : base64(await logs.log.consistencyProof(older.size, first.size)),
          },
        }),
    };
  }

  #indices(size: number): Promise<{ idx: number; statement: Digest }[]> {
    return this.#options.db.query("SELECT idx, statement FROM key_revocation WHERE idx < ? ORDER BY idx", [size]);
  }
}

function base64(hashes: readonly Uint8Array[]): readonly string[] {
  return hashes.map((hash) => toBase64(hash));
}
