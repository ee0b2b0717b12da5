import { generateKeyPairSync } from "node:crypto";
import { type KeySet, type NoteSigner, noteSignerFromPem } from "@tally/evidence";

export const ORIGIN = "tally.test/plane/d/00112233445566778899aabbccddeeff/0";

/** Signers as a device has them: Ed25519 (01) and, when asked, ML-DSA-44 (06). */
export function testSigners(origin = ORIGIN, types: readonly (1 | 6)[] = [1]): NoteSigner[] {
  return types.map((type) => noteSignerFromPem(origin, type, privatePem(type)));
}

export function keySetOf(signers: readonly NoteSigner[]): KeySet {
  return signers.map(({ key }) => ({ type: key.type, publicKey: key.publicKey }));
}

function privatePem(type: 1 | 6): string {
  const { privateKey } = type === 1 ? generateKeyPairSync("ed25519") : generateKeyPairSync("ml-dsa-44");
  return privateKey.export({ format: "pem", type: "pkcs8" }) as string;
}
