/** `POST /api/v1/enrolment-tokens` (admin): one token, for one device, once. */
export interface EnrolmentTokenRequest {
  /** What people call the device. It stays in the plane's database and is in no log. */
  readonly name?: string;
  readonly group?: string;
  /** Seconds; left out: 7 days. */
  readonly expiresIn?: number;
}

/** `GET /api/v1/genesis` with the enrolment token as Bearer: what the first entry needs. */
export interface GenesisResponse {
  /** The plane's name. */
  readonly plane: string;
  /** The newest cosigned checkpoint of the plane's log: the complete note. */
  readonly checkpoint: string;
  /** With `?ledger=<origin>`: the newest checkpoint of that ledger of which the plane has every entry; null for none. */
  readonly mirrored?: string | null;
}

/** `POST /api/v1/enroll` with the enrolment token as Bearer. Sent again by the same device, it answers the same. */
export interface EnrollRequest {
  readonly deviceId: string;
  readonly origin: string;
  /** The genesis entry, base64. */
  readonly genesis: string;
  /** A checkpoint of size 1 over it, signed with every key of its key set: proof of possession. */
  readonly checkpoint: string;
}

export interface EnrollResponse {
  readonly origin: string;
  /** Index of the `enrol` entry in the fleet log. */
  readonly index: number;
}

/**
 * `POST /api/v1/devices/<id>/epochs`, with the session of the device's last ledger, or with an enrolment token: the device asks
 * to go on in a new ledger. A person accepts it, or nobody does.
 */
export interface EpochRequest {
  /** `<plane>/d/<device id>/<epoch>`. */
  readonly origin: string;
  /** The genesis entry, base64. Its key 9 names the mirrored head and the head of the branch that is given up. */
  readonly genesis: string;
  /** A checkpoint of size 1 over it, signed with every key of its key set. */
  readonly checkpoint: string;
  /** The branch from entry `from` on, as blobs that are C2SP entry bundles, in order; null where nothing is delivered. */
  readonly orphan: { readonly from: number; readonly bundles: readonly string[] } | null;
}

export interface EpochResponse {
  readonly origin: string;
  readonly state: "awaiting" | "accepted";
}

/** `POST /api/v1/devices/<id>/keys` with the device's session. Sent again with keys that are the ledger's already, it changes nothing. */
export interface RotationRequest {
  /** The new key set in deterministic CBOR, base64. */
  readonly keySet: string;
  /** A checkpoint of the ledger that every old and every new key has signed; from its size on the new ones sign. */
  readonly checkpoint: string;
  /** The size that the plane holds, and the consistency proof from there, base64 each. */
  readonly old: number;
  readonly proof: readonly string[];
}
