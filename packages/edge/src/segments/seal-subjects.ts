import { randomBytes } from "node:crypto";
import type { Inference, Label } from "@tally/evidence";
import { toHex } from "@tally/evidence";
import type { PayloadRole } from "../recorder/payload-store.ts";
import type { SaltStore } from "../recorder/salt-store.ts";
import type { PlacedEntry } from "./build-rows.ts";
import type { OpenedPayload } from "./payload-sequence.ts";
import { nonceBytes, type SubjectKey, type SubjectPayloads } from "./sealed-payloads.ts";

const purpose = "tally/segment-subject/v1";
const groupBytes = 16;

/** Entries of a segment's range that commit to contents. */
export interface CommittingEntries {
  readonly records: readonly PlacedEntry<Inference>[];
  readonly labels: readonly PlacedEntry<Label>[];
}

export function newNonce(): Uint8Array {
  return new Uint8Array(randomBytes(nonceBytes));
}

/**
 * Shares payloads out to the data subjects that they are about, each with a key of its own for this segment alone. A record
 * of an unknown subject is one by itself. What was erased in the meantime has no key any more, and is left out.
 */
export async function subjectsOf(
  salts: SaltStore,
  entries: CommittingEntries,
  payloads: readonly OpenedPayload[],
  nonce: Uint8Array,
): Promise<readonly SubjectPayloads[]> {
  const slots = slotsOf(entries);
  const subjects = new Map<string, SubjectKey & { payloads: OpenedPayload[] }>();
  for (const payload of payloads) {
    const slot = slots.get(`${payload.role} ${payload.index}`);
    const found = slot === undefined ? undefined : await subjectKey(salts, slot, nonce);
    if (found === undefined) continue;
    const name = toHex(found.group);
    const subject = subjects.get(name) ?? { ...found, payloads: [] };
    subject.payloads.push(payload);
    subjects.set(name, subject);
  }
  return [...subjects.values()];
}

/** The keys of a segment that this device sealed, as far as their subjects were not erased since. */
export async function subjectKeys(
  salts: SaltStore,
  entries: CommittingEntries,
  nonce: Uint8Array,
): Promise<readonly SubjectKey[]> {
  const keys = new Map<string, SubjectKey>();
  for (const slot of slotsOf(entries).values()) {
    const found = await subjectKey(salts, slot, nonce);
    if (found !== undefined) keys.set(toHex(found.group), found);
  }
  return [...keys.values()];
}

async function subjectKey(salts: SaltStore, slot: number, nonce: Uint8Array): Promise<SubjectKey | undefined> {
  const bytes = await salts.derive(slot, purpose, nonce, groupBytes + 32);
  return bytes && { group: bytes.subarray(0, groupBytes), key: bytes.subarray(groupBytes) };
}

/** Where the salt of each content lies: it leads to the record's key, and to its subject's. */
function slotsOf({ records, labels }: CommittingEntries): ReadonlyMap<string, number> {
  const name = (role: PayloadRole, index: number) => `${role} ${index}`;
  return new Map([
    ...records.flatMap(({ index, entry }): [string, number][] => [
      [name("input", index), entry.input.slot],
      [name("output", index), entry.output.slot],
    ]),
    ...labels.map(({ index, entry }): [string, number] => [name("label", index), entry.label.slot]),
  ]);
}
