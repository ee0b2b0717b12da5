import type { NamedFile } from "@tally/evidence";
import { hashFiles as digestsOf, listFiles, type Progress } from "@tally/oci";

/** Digests and sizes of a file, or of all files of a folder, on all cores. Links are refused. */
export async function hashFiles(
  path: string,
  except: readonly string[] = [],
  progress?: Progress,
): Promise<readonly NamedFile[]> {
  const files = await listFiles(path, except);
  const digests = await digestsOf(files, progress);
  return files.map(({ name, size }, i) => ({ name, digest: digests[i]!, size }));
}
