import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { EdgeError } from "../error.ts";

/** A file of an unpacked segment. @throws EdgeError `segment-invalid` */
export async function readPart(folder: string, name: string): Promise<Uint8Array> {
  return new Uint8Array(
    await readFile(join(folder, name)).catch((cause: unknown) => {
      throw segmentInvalid(`${name} cannot be read`, cause);
    }),
  );
}

export function segmentInvalid(why: string, cause?: unknown): EdgeError {
  return new EdgeError("segment-invalid", `the segment is not accepted: ${why}`, {
    cause,
    hint: "pull it again; if it stays so, ask the operator of the device",
  });
}
