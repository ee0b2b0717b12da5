import type { ByteReader } from "./byte-reader.ts";
import type { Inspector } from "./commit-packages.ts";
import type { MirroredFolder } from "./mirrored-log.ts";
import type { Tickets } from "./ticket.ts";
import type { UploadHeader } from "./upload-body.ts";

/** One `add-entries` request under way: whose log, what its header says, where its packages come from. */
export interface Upload {
  readonly folder: MirroredFolder;
  readonly header: UploadHeader;
  readonly reader: ByteReader;
  readonly tickets: Tickets;
  readonly inspect: Inspector | undefined;
}
