import { access } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf, type EpochRequest, encodeEntryBundle, toBase64 } from "@tally/evidence";
import { openForReading } from "@tally/ledger";
import type { DeviceCore } from "../device-core.ts";
import { deviceFolder } from "../folder/device-folder.ts";
import { deviceIdentity } from "../identity.ts";
import { askPlane, jsonBody, type TokenSource } from "../plane/http.ts";
import { PlaneSession } from "../plane/session.ts";
import { readRequest, removeRequest } from "./epoch-request.ts";
import { orphanFolder } from "./move-to-epoch.ts";

/** Entries and bytes of one blob of a branch, at most: the plane takes blobs of 16 MB. */
const chunk = { entries: 256, bytes: 8 * 1024 * 1024 };

/**
 * Asks the plane to go on in the new epoch, once: uploads the branch that was given up, in entry bundles, and shows the new
 * ledger's first entry with proof of its keys. From then on a person decides. Does nothing where nothing is to be asked.
 *
 * @throws EdgeError `unreachable`, `blocked`, `plane-refused`
 */
export async function sendEpochRequest(
  { folder, config, identity, clock, ledger }: Pick<DeviceCore, "folder" | "config" | "identity" | "clock" | "ledger">,
  signal?: AbortSignal,
): Promise<void> {
  const request = await readRequest(folder);
  if (request === undefined) return;
  const { previous, from, orphanSize, note, token } = request;
  const old = deviceIdentity(identity.plane, identity.deviceId, previous);
  const aside = orphanFolder(folder, previous);
  const session = new PlaneSession(config.url, await keysThatSigned(folder.root, aside), old.origin, clock, signal);
  const blobs =
    from === null || token !== undefined
      ? []
      : await uploadBranch(join(aside, "journal"), from, orphanSize, config.url, session, signal);
  const body: EpochRequest = {
    origin: identity.origin,
    genesis: toBase64(await ledger.entry(0)),
    checkpoint: note,
    orphan: from === null || token !== undefined ? null : { from, bundles: blobs },
  };
  await askPlane(config.url, {
    method: "POST",
    path: `/api/v1/devices/${identity.deviceId}/epochs`,
    ...(token === undefined ? { session } : { token }),
    body: jsonBody(body),
    signal,
  });
  await removeRequest(folder);
}

/** The keys of the old ledger lie beside it where they were replaced with it. */
async function keysThatSigned(root: string, aside: string) {
  const folder = deviceFolder(root);
  const own = join(aside, "keys");
  return access(own).then(
    () => ({ ...folder, keys: own }),
    () => folder,
  );
}

async function uploadBranch(
  journal: string,
  from: number,
  to: number,
  url: string,
  session: TokenSource,
  signal: AbortSignal | undefined,
): Promise<readonly Digest[]> {
  const { log } = await openForReading(journal);
  const digests: Digest[] = [];
  let entries: Uint8Array[] = [];
  let bytes = 0;
  const flush = async () => {
    if (entries.length === 0) return;
    const bundle = encodeEntryBundle(entries);
    const digest = digestOf(bundle);
    await askPlane(url, {
      method: "PUT",
      path: `/api/v1/blobs/${digest}`,
      session,
      signal,
      body: { type: "application/octet-stream", bytes: bundle },
    });
    digests.push(digest);
    [entries, bytes] = [[], 0];
  };
  try {
    for await (const entry of log.entries(from, to)) {
      if (entries.length === chunk.entries || bytes + entry.length > chunk.bytes) await flush();
      entries.push(entry);
      bytes += entry.length;
    }
    await flush();
  } finally {
    await log.close();
  }
  return digests;
}
