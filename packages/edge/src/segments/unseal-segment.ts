import { randomUUID } from "node:crypto";
import { lstat, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EdgeError } from "../error.ts";
import type { KeysAt, OpenedSegment } from "./inspect-segment.ts";
import { loadSegment } from "./open-segment.ts";
import { clearFiles } from "./segment-files.ts";
import { readPart } from "./segment-part.ts";

/**
 * Writes an encrypted segment as it would be in the clear: the tables, the payloads with their salts, and the proof. The new
 * folder appears when all of it was checked and written.
 *
 * @param folder the unpacked segment; one in the clear is copied
 * @param into a folder that is not there yet
 * @param identities age identities of a recipient
 * @throws EdgeError `segment-encrypted`, `segment-invalid`; `request-invalid` where `into` is there
 */
export async function unsealSegment(
  folder: string,
  into: string,
  identities: readonly string[],
  keysAt?: KeysAt,
): Promise<OpenedSegment> {
  if (await lstat(into).catch((): undefined => undefined)) {
    throw new EdgeError("request-invalid", `${into} exists already`, { hint: "name a folder that does not exist yet" });
  }
  const { segment, payloads } = await loadSegment(folder, keysAt, identities);
  const { rows, late } = segment;
  const files = clearFiles({ rows, late, used: payloads }, await readPart(folder, "proof/proof.cbor"));
  const temporary = join(dirname(into), `.opening-${randomUUID()}`);
  try {
    for (const { name, content } of files) {
      const path = join(temporary, ...name.split("/"));
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content(), { mode: 0o600 });
    }
    await rename(temporary, into);
    return segment;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}
