/** `POST /api/v1/devices/<id>/entry-requests` (admin, auditor): asks a device for entries that it kept to itself. */
export interface EntryRequestBody {
  /** Entries [0, to) of the device's newest ledger: a mirror holds beginnings of ledgers. Null: all that its newest head covers. */
  readonly to: number | null;
}

/** A request for entries, and whether it has been met. */
export interface EntryRequest {
  readonly origin: string;
  /** As asked. */
  readonly to: number;
  /** Size of the checkpoint up to which the device is to deliver: the first one that a heads entry names and that covers `to`. */
  readonly end: number;
  /** Milliseconds since 1970 by the plane's clock. */
  readonly askedAt: number;
  readonly delivered: boolean;
}

/** `GET /api/v1/devices/<id>/entry-requests`, oldest first. */
export interface EntryRequestList {
  readonly requests: readonly EntryRequest[];
}

/** `GET /api/v1/ledger/entry-request` (device): the next request that this ledger has to meet; null where there is none. */
export interface OpenEntryRequest {
  readonly request: {
    /** The checkpoint size at which `add-entries` is to end. */
    readonly end: number;
    /** What the mirror holds already. */
    readonly nextEntry: number;
    /** For `add-entries`, in base64: the checkpoint need not be the newest any more. */
    readonly ticket: string;
  } | null;
}
