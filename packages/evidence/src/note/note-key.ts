import { concatBytes, equalBytes, fromBase64, fromHex, toBase64, toHex, utf8 } from "../bytes.ts";
import { mlDsa44PublicKeyLength } from "../crypto/algorithms.ts";
import { sha256 } from "../digest.ts";
import { EvidenceError } from "../error.ts";

/**
 * Signature types of C2SP signed-note: 1 Ed25519 over the text, 2 ECDSA in DER over the text's SHA-256, 4 Ed25519
 * cosignature, 6 ML-DSA-44 cosignature.
 */
export type KeyType = 1 | 2 | 4 | 6;

/** A key that verifies signatures on notes. Name and id together tell which lines are its own. */
export interface NoteKey {
  readonly name: string;
  /** First four bytes of a SHA-256, as a big-endian number. */
  readonly id: number;
  readonly type: KeyType;
  /** 32 bytes for types 1 and 4, SPKI DER for type 2, 1,312 bytes for type 6. */
  readonly publicKey: Uint8Array;
}

const publicKeyLengths: Readonly<Record<KeyType, number | undefined>> = {
  1: 32,
  2: undefined,
  4: 32,
  6: mlDsa44PublicKeyLength,
};

/**
 * A key with its id computed.
 *
 *     id = SHA-256(name ‖ "\n" ‖ type ‖ public key)[:4]     types 1, 4 and 6
 *     id = SHA-256(SPKI DER)[:4]                            type 2
 *
 * @throws EvidenceError `key-invalid` for a name or a public key that cannot be one
 */
export function noteKey(name: string, type: KeyType, publicKey: Uint8Array): NoteKey {
  checkKeyName(name);
  const length = publicKeyLengths[type];
  if (length === undefined ? publicKey.length === 0 : publicKey.length !== length) {
    throw new EvidenceError(
      "key-invalid",
      `the public key of ${name} has ${publicKey.length} bytes, wrong for type ${type}`,
    );
  }
  if (type === 6 && utf8(name).length > 255) {
    throw new EvidenceError("key-invalid", `the key name ${name} is longer than the 255 bytes that type 6 can sign`);
  }
  const hash = type === 2 ? sha256(publicKey) : sha256(utf8(name), Uint8Array.of(0x0a, type), publicKey);
  return Object.freeze({ name, id: new DataView(hash.buffer, hash.byteOffset).getUint32(0), type, publicKey });
}

/**
 * Reads a verifier key, `<name>+<8 hex digits of the id>+<base64(type ‖ public key)>`. The base64 may hold `+` itself.
 *
 *     example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k
 *
 * @throws EvidenceError `key-invalid`, also for types that are not used here and for an id that is not the key's
 */
export function parseVkey(text: string): NoteKey {
  const first = text.indexOf("+");
  const second = text.indexOf("+", first + 1);
  if (first < 0 || second < 0) {
    throw new EvidenceError("key-invalid", `"${text.slice(0, 60)}" is not a verifier key`, {
      hint: "it has the form <name>+<key id>+<base64>",
    });
  }
  const name = text.slice(0, first);
  const [id, body] = decodeParts(name, text.slice(first + 1, second), text.slice(second + 1));
  const type = body[0];
  if (type !== 1 && type !== 2 && type !== 4 && type !== 6) {
    throw new EvidenceError("key-invalid", `the verifier key of ${name} has signature type ${type}`, {
      hint: "types 1, 2, 4 and 6 are known",
    });
  }
  const key = noteKey(name, type, body.subarray(1));
  if (id.length !== 4 || new DataView(id.buffer).getUint32(0) !== key.id) {
    throw new EvidenceError(
      "key-invalid",
      `the verifier key of ${name} says id ${toHex(id)} but its key has ${idHex(key.id)}`,
    );
  }
  return key;
}

/** Writes a key as {@link parseVkey} reads it. */
export function formatVkey(key: NoteKey): string {
  return `${key.name}+${idHex(key.id)}+${toBase64(concatBytes(Uint8Array.of(key.type), key.publicKey))}`;
}

/** Whether both are the same key under the same name. */
export function sameKey(a: NoteKey, b: NoteKey): boolean {
  return a.name === b.name && a.type === b.type && equalBytes(a.publicKey, b.publicKey);
}

/**
 * Checks that a name can stand in a signature line: not empty, no Unicode space, no `+`, no control character.
 *
 * @throws EvidenceError `key-invalid`
 */
export function checkKeyName(name: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a note must not hold
  if (name === "" || /[\p{White_Space}\x00-\x1f+]/u.test(name) || !name.isWellFormed()) {
    throw new EvidenceError("key-invalid", `"${name.slice(0, 60)}" is not a key name`, {
      hint: "names are not empty and hold no spaces and no plus sign",
    });
  }
}

function decodeParts(name: string, id: string, body: string): [id: Uint8Array<ArrayBuffer>, body: Uint8Array] {
  try {
    return [fromHex(id), fromBase64(body)];
  } catch (cause) {
    throw new EvidenceError("key-invalid", `the verifier key of "${name.slice(0, 60)}" cannot be decoded`, { cause });
  }
}

function idHex(id: number): string {
  return id.toString(16).padStart(8, "0");
}
