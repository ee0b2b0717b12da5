import type { ContentDigest } from "../../storage/content-digest.ts";

export interface CollectOptions {
  /** Says what would go, and removes nothing. */
  readonly dryRun?: boolean;
  /** Also removes manifests that no tag, no index, no subject or referrer that stays, no rule and no evidence needs. */
  readonly untagged?: boolean;
  /** What was brought, pushed or asked for in the last so many milliseconds stays. Default a day. */
  readonly graceMs?: number;
  /** Also says of each thing that stays why it does. Default true. */
  readonly explain?: boolean;
}

/** What becomes of one thing. */
export interface Decision {
  readonly action: "keep" | "remove";
  /** A repository's manifest, a blob that a repository holds, or stored bytes that none does. */
  readonly what: "manifest" | "blob" | "bytes";
  /** Where it is; undefined for bytes. */
  readonly repository?: string;
  readonly digest: ContentDigest;
  /** Bytes. Room is made by bytes alone: manifests and blobs of a repository are names for them. */
  readonly size: number;
  readonly because: string;
}

export const defaultGraceMs = 24 * 60 * 60 * 1000;

/** Rows looked at in one step: requests are served between two. */
export const pageLength = 500;
