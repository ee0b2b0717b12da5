import { concatBytes, utf8 } from "../bytes.ts";

/**
 * DSSE's pre-authentication encoding, the bytes that are signed; lengths are in bytes:
 *
 *     "DSSEv1" SP len(type) SP type SP len(body) SP body
 */
export function pae(type: string, body: Uint8Array): Uint8Array {
  const typeBytes = utf8(type);
  return concatBytes(utf8(`DSSEv1 ${typeBytes.length} `), typeBytes, utf8(` ${body.length} `), body);
}
