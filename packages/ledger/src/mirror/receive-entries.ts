import { EvidenceError, parseCheckpoint } from "@tally/evidence";
import type { SignedCheckpoint } from "../checkpoint-file.ts";
import type { Conflict } from "../conflicts/conflict.ts";
import { LedgerError } from "../error.ts";
import { type ProtocolResponse, refusal, respond } from "../witness/response.ts";
import { Commits } from "./commits.ts";
import { formatMirrorInfo, MIRROR_INFO_TYPE } from "./mirror-info.ts";
import type { MirroredFolder } from "./mirrored-log.ts";
import type { Tickets } from "./ticket.ts";
import type { Upload } from "./upload.ts";
import { MAX_REQUEST_PACKAGES, PACKAGE_ENTRIES, packageRanges, readPackage, type UploadHeader } from "./upload-body.ts";
import { type VerifiedPackage, verifyPackage } from "./verify-package.ts";

/** How many entries that are stored already an upload may send again: one request that was answered into the void. */
const MAX_EXCESS = MAX_REQUEST_PACKAGES * PACKAGE_ENTRIES;

/** What came of reading an upload: everything up to its end is stored, or the answer that ends it here. */
export type Receipt =
  | { readonly complete: true; readonly tree: SignedCheckpoint }
  | { readonly complete: false; readonly response: ProtocolResponse; readonly conflict?: Conflict };

/**
 * Reads the packages of an upload, verifies each before the next is read, and stores them (C2SP tlog-mirror, add-entries,
 * up to the final step). What follows is read and verified while a commit is on its way to the disk: it holds two commits
 * and one package at the most.
 */
export async function receiveEntries(upload: Upload): Promise<Receipt> {
  const { folder, header, reader, tickets } = upload;
  const pending = folder.pending;
  if (pending === undefined)
    return ended(refusal(422, `no checkpoint of ${header.origin} was accepted yet: add-checkpoint first`));
  const tree = findTree(folder, header, tickets);
  if (tree === undefined || !canBegin(folder, header)) return ended(uploadInfo(409, folder, tree ?? pending, tickets));

  const commits = new Commits(upload, tree);
  try {
    for (const range of packageRanges(header.start, header.end)) {
      let verified: VerifiedPackage | undefined;
      let wrong: string | undefined;
      try {
        const received = await readPackage(reader, range);
        // What lies before the first package has to be stored: all others begin at a multiple of 256.
        verified = received === undefined ? undefined : await verifyPackage(received, tree.checkpoint, folder);
      } catch (error) {
        wrong = describeFault(error, range);
      }
      if (verified !== undefined) {
        await commits.add(verified);
        if (commits.conflict !== undefined) break;
        continue;
      }
      await commits.finish();
      if (commits.conflict !== undefined) break;
      if (wrong !== undefined) return ended(refusal(422, wrong));
      if (commits.saved > 0) return ended(uploadInfo(202, folder, tree, tickets));
      const why = reader.broken === undefined ? "the body ends" : `the body broke off (${reader.broken.message})`;
      return ended(refusal(400, `${why} before the first package [${range.start}, ${range.end}) does`));
    }
    await commits.finish();
  } finally {
    await commits.idle();
  }
  const { conflict } = commits;
  if (conflict !== undefined) return { ...ended(refusal(422, conflict.reason)), conflict };
  if (await reader.fill(1)) return ended(refusal(400, `bytes follow the last package, which ends at ${header.end}`));
  return { complete: true, tree };
}

/** 202 or 409 with where to go on. */
export function uploadInfo(
  status: 202 | 409,
  folder: MirroredFolder,
  tree: SignedCheckpoint,
  tickets: Tickets,
): ProtocolResponse {
  const ticket = tickets.issue(folder.origin, tree.note);
  const info = { size: tree.checkpoint.size, nextEntry: folder.nextEntry, ticket };
  return respond(status, MIRROR_INFO_TYPE, formatMirrorInfo(info), { "accept-encoding": "gzip" });
}

/** The checkpoint of size `end`: the pending one, the mirrored one, or a former pending one that the ticket holds. */
function findTree(
  folder: MirroredFolder,
  { origin, end, ticket }: UploadHeader,
  tickets: Tickets,
): SignedCheckpoint | undefined {
  const known = [folder.pending, folder.mirrored].find((head) => head?.checkpoint.size === end);
  if (known !== undefined) return known;
  const note = tickets.redeem(origin, ticket);
  if (note === undefined) return undefined;
  const { checkpoint } = parseCheckpoint(note);
  return checkpoint.size === end && end < (folder.pending?.checkpoint.size ?? 0) ? { checkpoint, note } : undefined;
}

function canBegin(folder: MirroredFolder, { start, end }: UploadHeader): boolean {
  if (end < (folder.mirrored?.checkpoint.size ?? 0)) return false;
  if (start > folder.nextEntry) return false;
  return Math.min(end, folder.nextEntry) - start <= MAX_EXCESS;
}

function describeFault(error: unknown, { start, end }: { start: number; end: number }): string {
  const refused = error instanceof EvidenceError || (error instanceof LedgerError && error.code === "protocol");
  if (!refused) throw error;
  return `the package of entries [${start}, ${end}) is not in the signed tree: ${error.message}`;
}

function ended(response: ProtocolResponse): { readonly complete: false; readonly response: ProtocolResponse } {
  return { complete: false, response };
}
