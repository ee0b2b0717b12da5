import { verifyEd25519 } from "#crypto";
import { concatBytes, equalBytes } from "../bytes.ts";
import { type CborValue, decodeCbor, decodeCborFirst, encodeCbor, isCborMap } from "../cbor/index.ts";
import { asHash, type Hash, type RootHash, sha256 } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { hashLeaf, inclusionRoot } from "../merkle/index.ts";

// COSE Receipts (RFC 9942): proof that an entry is in a log's tree, signed by who keeps the log.
//
//     18([ <<{1: -8, 4: key id, 15: {1: issuer, 2: subject, -65537: size}, 395: 1}>>,      tag 18: COSE_Sign1 (RFC 9052)
//          {396: {-1: [ <<[tree size, leaf index, [* hash]]>> ]}},
//          nil,                                                             detached: the root, which the proof gives
//          signature ])
//
// `<<…>>` is a byte string that holds the encoding. The signature is over RFC 9052's Sig_structure.

const label = { alg: 1, keyId: 4, claims: 15, vds: 395, vdp: 396 } as const;
/**
 * Claims of RFC 8392, as RFC 9597 puts them into a header. The last is for private use: RFC 9942 leaves the tree's size unsigned, and one
 * path can fit several sizes.
 */
const claim = { issuer: 1, subject: 2, size: -65537 } as const;
const eddsa = -8;
const rfc9162Sha256 = 1;
const inclusion = -1;
const tagged = 0xd2;

/** What a COSE receipt says: the entry at `index` of the subject's tree of `size` entries. */
export interface CoseReceipt {
  /** Who signs: the plane's log, by its key's name. */
  readonly issuer: string;
  /** The ledger's origin. */
  readonly subject: string;
  readonly index: number;
  readonly size: number;
  /** RFC 9162, from the leaf's sibling upward. */
  readonly proof: readonly Hash[];
}

/** An Ed25519 key that signs receipts. */
export interface ReceiptSigner {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** Writes a receipt over the tree's root: RFC 9942, COSE_Sign1 with RFC9162_SHA256 and EdDSA, the payload detached. */
export async function signCoseReceipt(
  receipt: CoseReceipt,
  root: RootHash,
  signer: ReceiptSigner,
): Promise<Uint8Array> {
  const { issuer, subject, index, size, proof } = receipt;
  const header = encodeCbor(
    new Map<number, CborValue>([
      [label.alg, eddsa],
      [label.keyId, keyId(signer.publicKey)],
      [
        label.claims,
        new Map<number, CborValue>([
          [claim.issuer, issuer],
          [claim.subject, subject],
          [claim.size, size],
        ]),
      ],
      [label.vds, rfc9162Sha256],
    ]),
  );
  const proofs = new Map<number, CborValue>([[inclusion, [encodeCbor([size, index, proof])]]]);
  const signature = await signer.sign(toBeSigned(header, root));
  return concatBytes(
    Uint8Array.of(tagged, 0x84),
    encodeCbor(header),
    encodeCbor(new Map<number, CborValue>([[label.vdp, proofs]])),
    encodeCbor(null),
    encodeCbor(signature),
  );
}

/**
 * Checks a receipt for an entry's bytes under an Ed25519 key, and gives what it says. Takes one form of it and refuses others.
 *
 * @throws EvidenceError `receipt-invalid`
 */
export function verifyCoseReceipt(bytes: Uint8Array, entry: Uint8Array, publicKey: Uint8Array): CoseReceipt {
  try {
    const [header, unprotected, payload, signature] = fourItems(bytes);
    if (!(header instanceof Uint8Array) || !(signature instanceof Uint8Array) || payload !== null) {
      throw invalid("it is not a COSE_Sign1 with a detached payload");
    }
    const { issuer, subject, signedSize } = readHeader(header, publicKey);
    const { size, index, proof } = readProof(unprotected);
    if (size !== signedSize) throw invalid("its proof is for another size than was signed");
    const root = inclusionRoot(index, size, hashLeaf(entry), proof);
    if (!verifyEd25519(publicKey, toBeSigned(header, root), signature)) throw invalid("the signature does not hold");
    return { issuer, subject, index, size, proof };
  } catch (cause) {
    if (cause instanceof EvidenceError && cause.code === "receipt-invalid") throw cause;
    throw invalid("it is not a COSE receipt as RFC 9942 has it", cause);
  }
}

/** SHA-256 of the raw public key. */
function keyId(publicKey: Uint8Array): Hash {
  return sha256(publicKey);
}

/** RFC 9052, 4.4: Sig_structure. */
function toBeSigned(header: Uint8Array, root: Hash): Uint8Array {
  return encodeCbor(["Signature1", header, new Uint8Array(), root]);
}

function fourItems(bytes: Uint8Array): (CborValue | undefined)[] {
  if (bytes[0] !== tagged || bytes[1] !== 0x84) throw invalid("it does not begin as a tagged COSE_Sign1");
  const items: CborValue[] = [];
  let rest = bytes.subarray(2);
  while (items.length < 4) {
    const { value, end } = decodeCborFirst(rest);
    items.push(value);
    rest = rest.subarray(end);
  }
  if (rest.length > 0) throw invalid("bytes follow it");
  return items;
}

function readHeader(
  header: Uint8Array,
  publicKey: Uint8Array,
): {
  issuer: string;
  subject: string;
  signedSize: CborValue | undefined;
} {
  const map = decodeCbor(header);
  const claims = isCborMap(map) ? map.get(label.claims) : undefined;
  if (!isCborMap(map) || !isCborMap(claims)) throw invalid("its protected header holds no claims");
  if (map.get(label.alg) !== eddsa || map.get(label.vds) !== rfc9162Sha256) {
    throw invalid("it is not of EdDSA over an RFC9162_SHA256 tree");
  }
  const id = map.get(label.keyId);
  if (!(id instanceof Uint8Array) || !equalBytes(id, keyId(publicKey))) throw invalid("it names another key");
  const [issuer, subject] = [claims.get(claim.issuer), claims.get(claim.subject)];
  if (typeof issuer !== "string" || typeof subject !== "string") throw invalid("its claims name no issuer or subject");
  return { issuer, subject, signedSize: claims.get(claim.size) };
}

function readProof(unprotected: CborValue | undefined): { size: number; index: number; proof: Hash[] } {
  const proofs = isCborMap(unprotected) ? unprotected.get(label.vdp) : undefined;
  const list = isCborMap(proofs) ? proofs.get(inclusion) : undefined;
  if (!Array.isArray(list) || list.length !== 1 || !(list[0] instanceof Uint8Array)) {
    throw invalid("it does not hold one inclusion proof");
  }
  const value = decodeCbor(list[0]);
  if (!Array.isArray(value) || value.length !== 3) throw invalid("its inclusion proof is not a list of three");
  const [size, index, proof] = value as CborValue[];
  if (typeof size !== "number" || typeof index !== "number" || !Array.isArray(proof) || proof.length > 63) {
    throw invalid("its inclusion proof does not have its form");
  }
  return { size, index, proof: proof.map((hash: CborValue) => asHash(hash as Uint8Array)) };
}

function invalid(what: string, cause?: unknown): EvidenceError {
  return new EvidenceError("receipt-invalid", `the COSE receipt: ${what}`, { cause });
}
