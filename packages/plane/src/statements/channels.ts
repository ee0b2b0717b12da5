import {
  approvalType,
  type ChannelResponse,
  type Digest,
  evaluationType,
  modelSignatureType,
  modelType,
  type ProvenEnvelope,
  quarantineType,
  toBase64,
  trainingType,
} from "@tally/evidence";
import type { Database } from "@tally/oci";
import { PlaneError } from "../error.ts";
import type { PlaneLogs } from "../log/plane-logs.ts";
import { statementsOfModel } from "./model-statements.ts";
import type { PeopleKeys } from "./people-keys.ts";
import { StatementRows } from "./statement-rows.ts";
import type { Statements } from "./statements.ts";

export interface ChannelsOptions {
  readonly db: Database;
  readonly logs: PlaneLogs;
  readonly statements: Statements;
  /** Left out where no keys of people are revoked. */
  readonly people?: PeopleKeys;
}

/** Everything that a device weighs, besides the release itself. */
const weighed = new Set([modelType, modelSignatureType, approvalType, evaluationType, trainingType, quarantineType]);

/** Where channels lead, as the plane's log has it. */
export class Channels {
  readonly #options: ChannelsOptions;
  readonly #rows: StatementRows;

  constructor(options: ChannelsOptions) {
    this.#options = options;
    this.#rows = new StatementRows(options.db, options.logs.log.origin);
  }

  /** Index in the plane's log of the channel's newest release. */
  async latestIndex(channel: string): Promise<number | undefined> {
    return (await this.#rows.newestRelease(channel))?.index;
  }

  /**
   * The newest release of the channel under a cosigned checkpoint, with every statement that a device needs to decide on
   * it, each proven, and with consistency from the size that the device has pinned (0: nothing).
   *
   * @throws PlaneError `not-found`; `conflict` where the pinned size is larger than the checkpoint
   */
  async resolve(
    channel: string,
    pinned: number,
    newest: { readonly size: number; readonly note: string },
  ): Promise<ChannelResponse> {
    const { size, note } = newest;
    if (pinned > size) {
      throw new PlaneError("conflict", `the newest cosigned checkpoint has size ${size}, ${pinned} is pinned`, {
        hint: "the plane may have been restored from an old backup: do not go on with it before that is known",
      });
    }
    const release = await this.#rows.newestRelease(channel, size);
    if (release === undefined) {
      throw new PlaneError("not-found", `nothing was released to ${channel.slice(0, 400)}`, {
        hint: "write the repository and the channel as the release statement does",
      });
    }
    const { statements, logs, people } = this.#options;
    const about = await statementsOfModel(statements, release.manifest, weighed);
    const rotations = (await people?.rotations(size)) ?? [];
    const revocations = await people?.revocations();
    const places = [...about.map(({ row }) => row), { envelope: release.envelope, index: release.index }, ...rotations]
      .filter(({ index }) => index < size)
      .sort((a, b) => a.index - b.index);
    return {
      channel,
      manifest: release.manifest,
      sequence: release.sequence,
      release: release.envelope,
      statements: await Promise.all(places.map(({ envelope }) => this.#proven(envelope, size))),
      checkpoint: note,
      ...(revocations !== undefined && { people: revocations }),
      consistency: (pinned === 0 ? [] : await logs.log.consistencyProof(pinned, size)).map((hash) => toBase64(hash)),
    };
  }

  async #proven(digest: Digest, size: number): Promise<ProvenEnvelope> {
    const { statements, people } = this.#options;
    const { index, entry, proof } = await statements.proof(digest, size);
    const logged = await people?.loggedProof(digest, index, size);
    return {
      digest,
      envelope: toBase64(await statements.envelope(digest)),
      index,
      entry: toBase64(entry),
      proof: proof.map((hash) => toBase64(hash)),
      ...(logged !== undefined && { logged }),
    };
  }
}
