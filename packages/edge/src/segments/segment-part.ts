import { join } from "node:path";
import { readPlainFile } from "@tally/oci";
import { EdgeError } from "../error.ts";

/** More does not fit into one buffer. */
const largestPart = 2 ** 31 - 1;

/** A file of an unpacked segment. @throws EdgeError `segment-invalid` */
export async function readPart(folder: string, name: string): Promise<Uint8Array> {
  return readPlainFile(join(folder, name), largestPart).catch((cause: unknown) => {
    throw segmentInvalid(`${name} cannot be read`, cause);
  });
}

export function segmentInvalid(why: string, cause?: unknown): EdgeError {
  return new EdgeError("segment-invalid", `the segment is not accepted: ${why}`, {
    cause,
    hint: "pull it again; if it stays so, ask the operator of the device",
  });
}
