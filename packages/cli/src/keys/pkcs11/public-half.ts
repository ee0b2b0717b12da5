import { X509Certificate } from "node:crypto";
import { concatBytes, type PublicIdentity, publicIdentity } from "@tally/evidence";
import { usageError } from "../../terminal/index.ts";
import type { Cryptoki } from "./cryptoki.ts";
import { attribute, findObjects, objectClass, readAttribute, type Template } from "./objects.ts";

/**
 * The public half of a private key, as the token tells it: with the key itself, in a public key or in a certificate of the same id.
 * That it is this key's is shown by the first signature, which is verified with it.
 *
 * @throws CliError usage where the token tells it nowhere, or the key is of a kind that signs nothing here
 */
export async function publicHalf(cryptoki: Cryptoki, session: number, key: number): Promise<PublicIdentity> {
  const read = (object: number, type: number) => readAttribute(cryptoki, session, object, type);
  const id = await read(key, attribute.id);
  const beside = async (kind: number): Promise<readonly number[]> => {
    const template: Template = [[attribute.class, kind], ...(id === undefined ? [] : [[attribute.id, id] as const])];
    return id === undefined ? [] : findObjects(cryptoki, session, template);
  };
  const own = await read(key, attribute.publicKeyInfo);
  if (own !== undefined) return identityOf(own);
  for (const object of [key, ...(await beside(objectClass.publicKey))]) {
    const [params, point] = [await read(object, attribute.ecParams), await read(object, attribute.ecPoint)];
    if (params !== undefined && point !== undefined) return identityOf(spkiOf(params, point));
  }
  for (const object of await beside(objectClass.certificate)) {
    const der = await read(object, attribute.value);
    if (der !== undefined) {
      return identityOf(new X509Certificate(der).publicKey.export({ format: "der", type: "spki" }));
    }
  }
  throw usageError(
    "the token does not tell the public half of that key",
    "put the public key, or a certificate, into the token under the same id",
  );
}

function identityOf(spki: Uint8Array): PublicIdentity {
  try {
    const identity = publicIdentity(new Uint8Array(spki));
    if (["p-256", "p-384", "ed25519"].includes(identity.algorithm)) return identity;
    throw new Error(`it is ${identity.algorithm}`);
  } catch (cause) {
    throw usageError(
      `that key is of a kind which signs nothing here: ${(cause as Error).message}`,
      "use P-256, P-384 or Ed25519",
      cause,
    );
  }
}

/** OID 1.3.101.112 (RFC 8410), and the curve's name as PKCS #11 v3.0 also has it: PrintableString "edwards25519". */
const ed25519Oid = [0x06, 0x03, 0x2b, 0x65, 0x70];
const edwards25519 = [0x13, 0x0c, ...Buffer.from("edwards25519")];
/** OID 1.2.840.10045.2.1 (RFC 5480). */
const ecPublicKeyOid = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/** SubjectPublicKeyInfo of CKA_EC_PARAMS and CKA_EC_POINT. */
function spkiOf(params: Uint8Array, point: Uint8Array): Uint8Array {
  const isEd25519 = [ed25519Oid, edwards25519].some((name) => Buffer.from(name).equals(params));
  const algorithm = isEd25519
    ? sequence(Uint8Array.from(ed25519Oid))
    : sequence(Uint8Array.from(ecPublicKeyOid), params);
  return sequence(algorithm, element(0x03, concatBytes(Uint8Array.of(0), unwrapped(point))));
}

/** The point is an OCTET STRING by the standard, and bare in some libraries. */
function unwrapped(point: Uint8Array): Uint8Array {
  return point[0] === 0x04 && point[1] === point.length - 2 ? point.subarray(2) : point;
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return element(0x30, concatBytes(...parts));
}

/** DER, of at most 127 bytes of content. */
function element(tag: number, content: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(tag, content.length), content);
}
