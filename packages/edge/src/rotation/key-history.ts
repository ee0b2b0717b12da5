import type { KeySet } from "@tally/evidence";
import { EdgeError } from "../error.ts";
import { deviceFolder } from "../folder/device-folder.ts";
import { readIdentity, readSigners } from "../identity.ts";
import { ownKeySets } from "./key-folders.ts";

/**
 * The public keys that a device signs with and those that it signed with before, newest first; undefined where the folder
 * holds no device whose keys can be read. Changes nothing; the device may be running.
 */
export async function readKeyHistory(dir: string): Promise<readonly KeySet[] | undefined> {
  const folder = deviceFolder(dir);
  try {
    const identity = await readIdentity(folder);
    return identity && (await ownKeySets(folder, await readSigners(folder, identity.origin)));
  } catch (error) {
    if (error instanceof EdgeError) return undefined;
    throw error;
  }
}
