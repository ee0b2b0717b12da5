import { join } from "node:path";
import { FileBlobStore, type LayoutLoad, type LayoutLoaded, loadLayout, openSqlite } from "@tally/oci";
import { PlaneError } from "../error.ts";
import { openIdleMirror } from "../mirror/open-idle.ts";
import { createOutsideTables } from "../outside-registry.ts";
import { planeNameOf } from "../reindex.ts";

export interface RegistryLoad extends Pick<LayoutLoad, "repository" | "layout" | "onRead"> {
  /** The folder of a plane that does not run. */
  readonly dir: string;
}

/** Enough for the indexes of a million manifests. */
const cacheMebibytes = 128;

/**
 * Stores the images of an image layout in the registry of a plane that does not run, many times as fast as pushes: `loadLayout` says
 * how. Devices are shown none of them by that, since nobody published them.
 *
 * @throws PlaneError `configuration` for a folder that holds no plane, or one whose artifacts lie elsewhere; LedgerError `locked` while the
 * plane runs; OciError for what cannot be stored
 */
export async function loadRegistry({ dir, ...load }: RegistryLoad): Promise<LayoutLoaded> {
  await planeNameOf(dir);
  // Its lock says whether the plane runs.
  const mirror = await openIdleMirror(dir);
  try {
    const db = await openSqlite(join(dir, "plane.db"), { cacheMebibytes });
    try {
      await createOutsideTables(db);
      const [outside] = await db.query<{ url: string }>("SELECT url FROM outside_registry");
      if (outside !== undefined) {
        throw new PlaneError("configuration", `this plane's artifacts lie in the registry ${outside.url}`, {
          hint: "push there, with a tool of that registry",
        });
      }
      return await loadLayout({ ...load, db, blobs: new FileBlobStore(join(dir, "registry")) });
    } finally {
      await db.close();
    }
  } finally {
    await mirror.close();
  }
}
