import type { IncomingMessage } from "node:http";
import type { Manifest } from "../artifact/manifest.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import type { ContentDigest } from "../storage/content-digest.ts";
import type { Database } from "../storage/database.ts";
import type { Evidence } from "./collect/evidence.ts";
import type { RetentionRule } from "./retention.ts";

export type RegistryAction = "pull" | "push" | "delete";

/** Why a request may not go on: 401 with the challenge to answer (`Basic realm="tally"`), or 403. */
export interface AccessRefused {
  readonly status: 401 | 403;
  /** One WWW-Authenticate header, or several. */
  readonly challenge?: string | readonly string[];
}

/** A manifest that was stored, durable by the time one hears of it. */
export interface PushEvent {
  readonly repository: string;
  readonly digest: ContentDigest;
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
  readonly tags: readonly string[];
  readonly req: IncomingMessage;
}

/** A deletion or a moved tag that a write-once rule refused. */
export interface RetentionRefused {
  readonly repository: string;
  readonly action: "delete-manifest" | "delete-tag" | "move-tag";
  readonly tag?: string;
  /** The manifest that is kept. */
  readonly digest: ContentDigest;
  readonly rule: RetentionRule;
  /** Milliseconds since 1970; null for ever. */
  readonly until: number | null;
  readonly req: IncomingMessage;
}

export interface RegistryOptions {
  readonly blobs: BlobStore;
  readonly db: Database;
  /**
   * Decides whether a request may go on; resolves to undefined when it may. For a mount it is asked twice: push here, pull
   * there. For the version check at /v2/, where clients try their credentials, the repository is "".
   */
  authorize(
    req: IncomingMessage,
    wanted: { repository: string; action: RegistryAction },
    // biome-ignore lint/suspicious/noConfusingVoidType: a hook that resolves to nothing lets the request go on
  ): Promise<AccessRefused | void>;
  /**
   * Whose request this is, in any words that stay the same; asked after `authorize`. An upload belongs to whoever began it: nobody
   * else goes on with it, learns of it or cancels it. Left out: uploads are everybody's who may push to their repository.
   */
  callerOf?(req: IncomingMessage): Promise<string>;
  /** Decides by what a manifest is whether it may be pushed; asked after `authorize`, before anything is stored. Left out: whatever it is. */
  admits?(push: Pick<PushEvent, "repository" | "manifest" | "req">): Promise<boolean>;
  /** Called after each stored manifest and before the answer. When it throws, the answer is 500 and the client pushes again. */
  onPush?(event: PushEvent): Promise<void> | void;
  /** Called before a refusal by a write-once rule is answered. When it throws, the answer is 500, and nothing is deleted or moved. */
  onRefused?(refused: RetentionRefused): Promise<void> | void;
  /** What names content of the registry from outside of it. Left out: nothing does. */
  readonly evidence?: Evidence;
  readonly clock?: { now(): number };
  readonly limits?: Partial<RegistryLimits>;
  /** Hears of failures that are answered with 500. */
  onError?(error: unknown, req: IncomingMessage): void;
}

export interface RegistryLimits {
  /** Uploads begun and not finished, over all repositories. */
  readonly uploads: number;
  /** The same of one caller, where `callerOf` tells callers apart. */
  readonly uploadsOfOne: number;
  /** Milliseconds since its last byte after which an upload is dropped. */
  readonly uploadAge: number;
  /** Entries of one page of tags or referrers. */
  readonly page: number;
  /** Tags set by one push. */
  readonly tagsPerPush: number;
}

export const defaultLimits: RegistryLimits = Object.freeze({
  uploads: 1_000,
  uploadsOfOne: 200,
  uploadAge: 24 * 60 * 60 * 1000,
  page: 1_000,
  tagsPerPush: 50,
});
