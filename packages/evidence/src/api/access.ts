import type { JsonObject } from "../content/i-json.ts";
import type { KeylessName } from "../trust/index.ts";
/** What a token lets its bearer do. Every route of the plane names the roles that it takes. */
export const roles = ["admin", "publisher", "approver", "auditor", "scientist", "device"] as const;
export type Role = (typeof roles)[number];

/** Every error of the plane: `{"error": {…}}`. */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint?: string;
    /** With code `policy-denied`: every rule of the gate and what it found. */
    readonly reasons?: readonly { readonly rule: string; readonly result: "pass" | "fail"; readonly message: string }[];
    /** With code `policy-denied`: digest of the verdict, kept as a blob. */
    readonly verdict?: string;
  };
}

/** `POST /api/v1/tokens` (admin). */
export interface TokenRequest {
  readonly role: Exclude<Role, "device">;
  /** A pattern of repositories, `*` for any run of characters; left out: all. */
  readonly repository?: string;
  /** Seconds; left out: 30 days. */
  readonly expiresIn?: number;
  /** What it is for, as the list of tokens shows it. */
  readonly note?: string;
}

export interface TokenResponse {
  /** Opaque, begins with `tly_`; shown this once. */
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

/** `POST /api/v1/sessions/nonce`. */
export interface NonceRequest {
  readonly origin: string;
}
export interface NonceResponse {
  readonly nonce: string;
}

/** `POST /api/v1/sessions`: the signature is of the device's first key over `sessionMessage`, in base64. */
export interface SessionRequest {
  readonly origin: string;
  readonly nonce: string;
  readonly signature: string;
  /** The newest cosigned checkpoint of the plane's log that the device holds: a plane that was restored learns from it. */
  readonly planeCheckpoint?: string;
}

/** What a device signs to open a session. */
export function sessionMessage(origin: string, nonce: string): string {
  return `tally/session/v1\n${origin}\n${nonce}`;
}

/** `POST /api/v1/identities` (admin), `GET /api/v1/identities`: who the plane takes statements from. */
export interface IdentityBody {
  readonly name: string;
  /** Public key in PEM; left out of a keyless identity. */
  readonly key?: string;
  /** Whom sigstore's certificate names, and under which of the plane's trust roots: docs/trust.md. */
  readonly keyless?: KeylessName;
  /** The trusted root of that name (`trusted_root.json`), where the plane has none yet, or is to have another. */
  readonly trustedRoot?: JsonObject;
  readonly may: readonly string[];
  readonly repositories: readonly string[];
  /** Milliseconds since 1970: signatures count from then on … */
  readonly from?: number;
  /** … and before then, by proven time. */
  readonly until?: number;
}
export interface IdentityList {
  readonly identities: readonly IdentityBody[];
}
