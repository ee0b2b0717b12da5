import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { EdgeError } from "../error.ts";
import { decodePayloads, type OpenedPayload } from "./payload-sequence.ts";
import { openSealed, type Recipient } from "./recipients.ts";
import {
  decodeKeys,
  decodeSealed,
  openPayloads,
  type SealedPayloads,
  type SealedPlace,
  type SubjectKey,
} from "./sealed-payloads.ts";
import { readPart } from "./segment-part.ts";

export const sealedFile = "data/sealed.cborseq";
export const keysFile = "keys/keys.age";

/** How the contents of a segment are closed. */
export interface Sealing {
  /** To whom, as the segment says. */
  readonly recipients: readonly Recipient[];
  /** Subjects whose contents no key opened; all of them where no identity was for the segment. */
  readonly closed: number;
  /** False where none of the identities is a recipient's. */
  readonly opened: boolean;
}

export interface SegmentContents {
  readonly payloads: readonly OpenedPayload[];
  /** Undefined where the contents are in the clear. */
  readonly sealing: Sealing | undefined;
}

/** The payloads of an unpacked segment, opened with the identities of a recipient where they are encrypted. */
export async function readContents(
  folder: string,
  place: SealedPlace,
  identities: readonly string[] = [],
): Promise<SegmentContents> {
  const sealed = await readSealed(folder);
  if (sealed === undefined) {
    return { payloads: decodePayloads(await readPart(folder, "data/payloads.cborseq")), sealing: undefined };
  }
  const keys = await openKeys(folder, identities);
  const { payloads, closed } = openPayloads(place, sealed, keys ?? []);
  return { payloads, sealing: { recipients: sealed.recipients, closed, opened: keys !== undefined } };
}

/** What is sealed in an unpacked segment; undefined where it is in the clear. @throws EdgeError `segment-invalid` */
export async function readSealed(folder: string): Promise<SealedPayloads | undefined> {
  const isThere = await lstat(join(folder, sealedFile)).catch((): undefined => undefined);
  return isThere === undefined ? undefined : decodeSealed(await readPart(folder, sealedFile));
}

/** @throws EdgeError `segment-encrypted` where no identity was for it */
export function requireOpened({ sealing }: SegmentContents): void {
  if (sealing === undefined || sealing.opened) return;
  const names = sealing.recipients.map(({ name }) => name).join(", ");
  throw new EdgeError("segment-encrypted", `the segment is encrypted to ${names || "nobody"}`, {
    hint: "give the identity file of one of them: --identity FILE",
  });
}

async function openKeys(folder: string, identities: readonly string[]): Promise<readonly SubjectKey[] | undefined> {
  if (identities.length === 0) return undefined;
  const bytes = await openSealed(identities, await readPart(folder, keysFile));
  return bytes === undefined ? undefined : decodeKeys(bytes);
}
