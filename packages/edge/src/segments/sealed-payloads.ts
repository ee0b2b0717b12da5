import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import {
  type CborValue,
  concatBytes,
  decodeCbor,
  decodeCborFirst,
  decodeCborSequence,
  EvidenceError,
  encodeCbor,
  isCborList,
  sha256,
  toHex,
} from "@tally/evidence";
import { decodePayloads, encodePayloads, type OpenedPayload } from "./payload-sequence.ts";
import type { Recipient } from "./recipients.ts";
import { segmentInvalid } from "./segment-part.ts";

/** What a sealed segment's keys are made from, beside the secret of each subject. */
export const nonceBytes = 32;

/** All of one data subject in one segment: which items are its own, and the key that they are under. */
export interface SubjectKey {
  /** 16 bytes that only its secret and the segment's nonce lead to: nobody else can tell two segments' apart. */
  readonly group: Uint8Array;
  /** AES-256. */
  readonly key: Uint8Array;
}

/** Where sealed content belongs; it opens nowhere else. */
export interface SealedPlace {
  readonly origin: string;
  readonly from: number;
  readonly to: number;
}

/** `sealed.cborseq` taken apart. */
export interface SealedPayloads {
  /** SHA-256 of the first item: nonce and recipients are those that the contents were sealed with. */
  readonly headHash: Uint8Array;
  readonly nonce: Uint8Array;
  readonly recipients: readonly Recipient[];
  readonly items: readonly { readonly group: Uint8Array; readonly encrypted: Uint8Array }[];
}

/** Payloads of one subject. */
export interface SubjectPayloads extends SubjectKey {
  readonly payloads: readonly OpenedPayload[];
}

// {1: 3}: the algorithm is A256GCM (RFC 9053, 4.1).
const protectedHeader = encodeCbor(new Map<number, CborValue>([[1, 3]]));
const ivBytes = 12;
const tagBytes = 16;

/**
 * The bytes of `sealed.cborseq`, a CBOR sequence:
 *
 *     [1, nonce, [[name, recipient], …]]
 *     [group, COSE_Encrypt0]                one for each subject, in order of group
 *
 * Each COSE_Encrypt0 (RFC 9052, 5.2; untagged) holds the subject's items of `payloads.cborseq`; its external data are
 * [origin, from, to, SHA-256 of the first item, group], so that it opens nowhere else.
 */
export function encodeSealed(
  place: SealedPlace,
  nonce: Uint8Array,
  recipients: readonly Recipient[],
  subjects: readonly SubjectPayloads[],
): Uint8Array {
  const head = encodeCbor([1, nonce, recipients.map(({ name, key }) => [name, key])]);
  const items = inOrder(subjects).map(({ group, key, payloads }) =>
    encodeCbor([group, encrypt(encodePayloads(payloads), key, aad(place, sha256(head), group))]),
  );
  return concatBytes(head, ...items);
}

/** The bytes that `keys.age` holds, encrypted to the recipients: a CBOR sequence of [group, key]. */
export function encodeKeys(subjects: readonly SubjectKey[]): Uint8Array {
  return concatBytes(...inOrder(subjects).map(({ group, key }) => encodeCbor([group, key])));
}

/** @throws EdgeError `segment-invalid` */
export function decodeKeys(bytes: Uint8Array): readonly SubjectKey[] {
  return sequence(bytes, "keys/keys.age").map((item, i) => {
    const [group, key] = isCborList(item) ? item : [];
    if (!(group instanceof Uint8Array && key instanceof Uint8Array && group.length === 16 && key.length === 32)) {
      throw segmentInvalid(`item ${i + 1} of keys/keys.age is not [group, key]`);
    }
    return { group, key };
  });
}

/** @throws EdgeError `segment-invalid` */
export function decodeSealed(bytes: Uint8Array): SealedPayloads {
  const file = "data/sealed.cborseq";
  const [head, ...rest] = sequence(bytes, file);
  const [version, nonce, named] = isCborList(head) ? head : [];
  if (version !== 1 || !(nonce instanceof Uint8Array) || nonce.length !== nonceBytes || !isCborList(named)) {
    throw segmentInvalid(`${file} does not begin with [1, nonce, recipients]`);
  }
  const recipients = named.map((item) => {
    const [name, key] = isCborList(item) ? item : [];
    if (typeof name !== "string" || typeof key !== "string") throw segmentInvalid(`${file} names a recipient wrongly`);
    return { name, key };
  });
  const groups = new Set<string>();
  const items = rest.map((item, i) => {
    const [group, encrypted] = isCborList(item) ? item : [];
    if (!(group instanceof Uint8Array) || group.length !== 16 || !(encrypted instanceof Uint8Array)) {
      throw segmentInvalid(`item ${i + 1} of ${file} is not [group, COSE_Encrypt0]`);
    }
    if (groups.has(toHex(group))) throw segmentInvalid(`item ${i + 1} of ${file} is of a subject that had one`);
    groups.add(toHex(group));
    return { group, encrypted };
  });
  return { headHash: sha256(bytes.subarray(0, decodeCborFirst(bytes, 0).end)), nonce, recipients, items };
}

/**
 * Payloads of the subjects whose keys are given, in order of index; the others stay closed.
 *
 * @throws EdgeError `segment-invalid` where an item was changed, or is not of this segment
 */
export function openPayloads(
  place: SealedPlace,
  { headHash, items }: SealedPayloads,
  keys: readonly SubjectKey[],
): { readonly payloads: readonly OpenedPayload[]; readonly closed: number } {
  const known = new Map(keys.map(({ group, key }) => [toHex(group), key]));
  const payloads: OpenedPayload[] = [];
  let closed = 0;
  for (const [i, { group, encrypted }] of items.entries()) {
    const key = known.get(toHex(group));
    if (key === undefined) closed += 1;
    else payloads.push(...decodePayloads(decrypt(encrypted, key, aad(place, headHash, group), i + 1)));
  }
  const roles = { input: 0, output: 1, label: 2 } as const;
  return { payloads: payloads.sort((a, b) => a.index - b.index || roles[a.role] - roles[b.role]), closed };
}

/** RFC 9052, 5.3: Enc_structure, with where the content belongs as external data. */
function aad({ origin, from, to }: SealedPlace, headHash: Uint8Array, group: Uint8Array): Uint8Array {
  return encodeCbor(["Encrypt0", protectedHeader, encodeCbor([origin, from, to, headHash, group])]);
}

function encrypt(bytes: Uint8Array, key: Uint8Array, data: Uint8Array): Uint8Array {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(data);
  const ciphertext = Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  return encodeCbor([
    protectedHeader,
    new Map<number, CborValue>([[5, new Uint8Array(iv)]]),
    new Uint8Array(ciphertext),
  ]);
}

function decrypt(encrypted: Uint8Array, key: Uint8Array, data: Uint8Array, item: number): Uint8Array {
  const [header, unprotected, ciphertext] = fieldsOf(encrypted);
  const iv = unprotected instanceof Map ? unprotected.get(5) : undefined;
  const isKnown =
    header instanceof Uint8Array &&
    toHex(header) === toHex(protectedHeader) &&
    iv instanceof Uint8Array &&
    iv.length === ivBytes &&
    ciphertext instanceof Uint8Array &&
    ciphertext.length >= tagBytes;
  if (!isKnown) throw segmentInvalid(`item ${item} of data/sealed.cborseq is no COSE_Encrypt0 with A256GCM`);
  const decipher = createDecipheriv("aes-256-gcm", key, iv).setAAD(data).setAuthTag(ciphertext.subarray(-tagBytes));
  try {
    return new Uint8Array(Buffer.concat([decipher.update(ciphertext.subarray(0, -tagBytes)), decipher.final()]));
  } catch (cause) {
    throw segmentInvalid(`item ${item} of data/sealed.cborseq was changed, or is not of this segment`, cause);
  }
}

function fieldsOf(encrypted: Uint8Array): readonly CborValue[] {
  try {
    const value = decodeCbor(encrypted);
    return isCborList(value) && value.length === 3 ? value : [];
  } catch {
    return [];
  }
}

function sequence(bytes: Uint8Array, file: string): readonly CborValue[] {
  try {
    return decodeCborSequence(bytes);
  } catch (cause) {
    if (cause instanceof EvidenceError) throw segmentInvalid(`${file} cannot be read: ${cause.message}`, cause);
    throw cause;
  }
}

function inOrder<T extends SubjectKey>(subjects: readonly T[]): readonly T[] {
  return subjects.toSorted((a, b) => Buffer.compare(a.group, b.group));
}
