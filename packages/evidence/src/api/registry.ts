/** `POST /api/v1/registry/collect` (admin): removes what nothing needs. All of it may be left out. */
export interface CollectRequest {
  /** Says what would go, and removes nothing. */
  readonly dryRun?: boolean;
  /** Also manifests that no tag, no manifest that stays, no rule and no evidence leads to. */
  readonly untagged?: boolean;
  /** Seconds; what was brought, pushed or asked for since then stays. Default a day. */
  readonly grace?: number;
  /** Also says of each thing that stays why. */
  readonly explain?: boolean;
}

/** One line of the answer: what becomes of one thing, and why. */
export interface CollectDecision {
  readonly action: "keep" | "remove";
  /** A repository's manifest, a blob that a repository holds, or stored bytes that none does. */
  readonly what: "manifest" | "blob" | "bytes";
  readonly repository?: string;
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly because: string;
}

/** The last line of the answer; without it, the collection was broken off. */
export interface CollectSummary {
  readonly manifests: number;
  readonly blobs: number;
  /** Files removed from the disk. */
  readonly files: number;
  /** What they took up. */
  readonly bytes: number;
}

/** `PUT /api/v1/registry/retention` (admin): manifests of these repositories are written once. */
export interface RetentionBody {
  /** A pattern; `*` stands for any run of characters. */
  readonly repository: string;
  /** From a manifest's last push on; null for ever. */
  readonly seconds: number | null;
}

/** `GET /api/v1/registry/retention` (admin, auditor). */
export interface RetentionList {
  readonly rules: readonly (RetentionBody & {
    /** When the rule was made, in milliseconds since 1970. */
    readonly since: number;
  })[];
}

/** `PUT /api/v1/registry/quotas` (admin): what all repositories of a pattern may hold together; null or left out: no bound. With neither the quota goes. */
export interface QuotaBody {
  readonly repository: string;
  readonly bytes?: number | null;
  readonly manifests?: number | null;
}

/** `GET /api/v1/registry/quotas` (admin, auditor, publisher). */
export interface QuotaList {
  readonly quotas: readonly {
    readonly repository: string;
    readonly bytes: number | null;
    readonly manifests: number | null;
    readonly usedBytes: number;
    readonly usedManifests: number;
  }[];
}

/** A deletion or a moved tag that a write-once rule refused, as often as the same token tried it on one day. */
export interface RegistryRefusal {
  readonly repository: string;
  readonly action: string;
  /** Empty where no tag was meant. */
  readonly tag: string;
  readonly digest: string;
  /** The first 16 digits of the SHA-256 of the token that tried. */
  readonly bearer: string;
  readonly rule: string;
  /** Milliseconds since 1970; null for ever. */
  readonly until: number | null;
  /** How often, on one day. */
  readonly n: number;
  readonly first: number;
  readonly last: number;
  /** Of the entry in the plane's log. */
  readonly index: number;
}

/** `GET /api/v1/registry/refusals` (admin, auditor): what write-once rules refused, newest first. */
export interface RefusalList {
  readonly refusals: readonly RegistryRefusal[];
}
