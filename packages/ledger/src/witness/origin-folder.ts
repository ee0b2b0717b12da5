import { sha256, toHex, utf8 } from "@tally/evidence";

/** The name of a log's folder and URL: the SHA-256 of its origin in lower-case hex (C2SP tlog-witness, tlog-mirror). */
export function originHash(origin: string): string {
  return toHex(sha256(utf8(origin)));
}
