import { createHash } from "node:crypto";
import { type NamedFile, parseDigest } from "@tally/evidence";
import { type FileEntry, listFiles } from "@tally/oci";

/** Digests and sizes of a file, or of all files of a folder. Links are refused. */
export async function hashFiles(path: string, except: readonly string[] = []): Promise<readonly NamedFile[]> {
  return Promise.all((await listFiles(path, except)).map(hashFile));
}

async function hashFile({ name, content }: FileEntry): Promise<NamedFile> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of content()) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { name, digest: parseDigest(`sha256:${hash.digest("hex")}`), size };
}
