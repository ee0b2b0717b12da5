import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashLeaf, rootOf, signCheckpoint, utf8 } from "@tally/evidence";
import { type Clock, systemClock } from "@tally/ledger";
import { type ConfigOverrides, writeConfig } from "../config.ts";
import { createKeys, genesisOf, keepTrust, writeDraft } from "../enroll/draft.ts";
import { writeFirstEntry } from "../enroll/first-entry.ts";
import { deviceFolder } from "../folder/device-folder.ts";
import { deviceIdentity, writeIdentity } from "../identity.ts";
import { openPlaneCheckpoint } from "../sync/plane-checkpoint.ts";
import { writePin } from "../sync/plane-pin.ts";
import { makePlaneKeys, type PlaneKeys } from "./plane-keys.ts";

/** A temporary folder that is gone when the tests are. */
export async function temporaryFolder(after: (clean: () => Promise<void>) => void): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tally-edge-"));
  after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder as enrolment with a plane of these keys leaves it, made without the plane. */
export async function enrolledFolder(
  dir: string,
  config: ConfigOverrides = {},
  keys: PlaneKeys = makePlaneKeys(),
  clock: Clock = systemClock,
): Promise<string> {
  const folder = deviceFolder(dir);
  const leaf = hashLeaf(utf8("first"));
  const note = await signCheckpoint(
    { origin: `${keys.name}/log`, size: 1, root: rootOf([leaf]) },
    keys.log,
    Math.floor(clock.now() / 1000),
  );
  const trustPath = `${dir}.trust.json`;
  await writeFile(trustPath, keys.trustText);
  await keepTrust(folder, trustPath);
  await createKeys(folder);
  const anchor = openPlaneCheckpoint(note, keys.trust);
  const draft = await writeDraft(folder, anchor, clock);
  await writeFirstEntry(folder, await genesisOf(folder, draft, keys.trust), clock);
  await writePin(folder.state, anchor);
  await writeConfig(folder.config, { url: "http://127.0.0.1:9", ...config });
  await writeIdentity(folder, deviceIdentity(keys.name, draft.deviceId, 0));
  return dir;
}
