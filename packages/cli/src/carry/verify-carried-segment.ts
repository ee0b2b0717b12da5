import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { inspectSegment } from "@tally/edge";
import type { Digest } from "@tally/evidence";
import { unpackModelKit } from "@tally/oci";
import type { Admissions } from "../fleet-log.ts";
import { keysIn, requireEnrolled } from "../open-segments.ts";
import { counted } from "../terminal/index.ts";
import type { NoteCheck } from "./carry-check.ts";
import { throwOwn } from "./disk-error.ts";
import type { VerifyCarried } from "./verify-carried.ts";

/**
 * Verifies one carried segment: its entries against the device's ledger, the ledger against the fleet log of the evidence, and the
 * contents against the entries. Contents that are encrypted to others stay closed: that is said, and the rest is verified.
 */
export async function verifySegment(
  { carried, temporary, identities }: Pick<VerifyCarried, "carried" | "temporary" | "identities">,
  segment: Digest,
  model: Digest,
  fleet: Admissions | undefined,
  note: NoteCheck,
): Promise<void> {
  const dir = await mkdtemp(join(temporary, "segment-"));
  try {
    const into = join(dir, "files");
    const { manifest } = await unpackModelKit({ source: carried, reference: segment, into });
    if (manifest.subject?.digest !== model) throw new Error(`its subject is not ${model}`);
    const { segment: opened, signature, faults, sealing } = await inspectSegment(into, keysIn(fleet), identities);
    if (signature !== undefined) throw new Error(`the proof does not hold: ${signature.message}`);
    const [fault] = faults;
    if (fault !== undefined) throw new Error(`${fault.file} is changed: ${fault.why}`);
    if (opened.model !== null && opened.model !== model) throw new Error(`its records are of ${opened.model}`);
    if (fleet !== undefined) requireEnrolled(opened, segment, fleet.get(opened.origin));
    const { origin, from, to, rows, absent } = opened;
    const place = `entries ${from} to ${to} of ${origin}`;
    const isClosed = sealing !== undefined && !sealing.opened;
    const records = absent.filter((record) => record.model === model).length;
    const what = isClosed
      ? `${place}, with ${counted(records, "record")} of this model, are in that ledger`
      : `${counted(rows.length, "row")} of ${place}, each against its ledger`;
    if (fleet === undefined) {
      note("segment", segment, "not made", `${what}: no proven fleet log says whose device it is`);
    } else note("segment", segment, "good", what);
    if (sealing === undefined) return;
    const names = sealing.recipients.map(({ name }) => name).join(", ") || "nobody";
    if (isClosed) {
      const why = `encrypted to ${names}: that they are what the entries commit to shows --identity FILE of one of them`;
      note("contents", segment, "not made", why, false);
    } else {
      note("contents", segment, "good", `opened as one of ${names}: what the entries commit to`, false);
      if (sealing.closed > 0)
        note(
          "contents",
          segment,
          "not made",
          `${counted(sealing.closed, "subject")} without a key: erased, or never there`,
          false,
        );
    }
  } catch (error) {
    throwOwn(error);
    note("segment", segment, "bad", (error as Error).message);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
