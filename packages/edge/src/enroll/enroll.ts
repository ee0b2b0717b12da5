import { type EnrollRequest, toBase64 } from "@tally/evidence";
import { type Clock, systemClock } from "@tally/ledger";
import { type ConfigOverrides, completeConfig, planeUrl, writeConfig } from "../config.ts";
import { EdgeError } from "../error.ts";
import { deviceFolder } from "../folder/device-folder.ts";
import { asText } from "../folder/json.ts";
import { type DeviceIdentity, deviceIdentity, readIdentity, writeIdentity } from "../identity.ts";
import { askPlane, jsonBody, jsonOf } from "../plane/http.ts";
import { openPlaneCheckpoint, type PlaneCheckpoint } from "../sync/plane-checkpoint.ts";
import { writePin } from "../sync/plane-pin.ts";
import { readTrust } from "../trust-file.ts";
import { createKeys, genesisOf, keepTrust, readDraft, writeDraft } from "./draft.ts";
import { writeFirstEntry } from "./first-entry.ts";

export interface EnrollOptions {
  /** The device's folder; created when absent. */
  readonly dir: string;
  /** Base URL of the plane. */
  readonly url: string;
  /** The one-time enrolment token. It names the device to the plane's database; no log holds that name. */
  readonly token: string;
  /** The trust file, got by a way that does not lead through the plane. It is copied into the folder. */
  readonly trustPath: string;
  /** Settings that go into config.json. */
  readonly config?: Omit<ConfigOverrides, "url">;
  readonly clock?: Clock;
}

/**
 * Makes a device of a folder: keys, a random id, the genesis entry anchored to the plane's newest cosigned checkpoint, and
 * the proof of possession that the plane enrols. May die anywhere and be called again: the same device goes on.
 *
 * @throws EdgeError `already-enrolled`, `trust-invalid`, `plane-untrusted`, `plane-refused`, `unreachable`.
 */
export async function enroll(options: EnrollOptions): Promise<DeviceIdentity> {
  const { dir, token, trustPath, config = {}, clock = systemClock } = options;
  const url = planeUrl(options.url);
  // A setting that is wrong must not cost the token.
  completeConfig({ url, ...config });
  const folder = deviceFolder(dir);
  const known = await readIdentity(folder);
  if (known !== undefined) {
    throw new EdgeError("already-enrolled", `${dir} is already ${known.origin}`, { hint: "use another folder" });
  }
  const trust = await readTrust(trustPath);
  await keepTrust(folder, trustPath);
  await createKeys(folder);
  const draft = (await readDraft(folder)) ?? (await writeDraft(folder, await firstAnchor(url, token, trust), clock));
  const { entry, note } = await writeFirstEntry(folder, await genesisOf(folder, draft, trust), clock);
  const identity = deviceIdentity(trust.plane.name, draft.deviceId, 0);
  const request: EnrollRequest = {
    deviceId: identity.deviceId,
    origin: identity.origin,
    genesis: toBase64(entry),
    checkpoint: note,
  };
  const answer = await askPlane(url, { method: "POST", path: "/api/v1/enroll", token, body: jsonBody(request) });
  const { origin } = jsonOf(answer, "the enrolment");
  if (origin !== identity.origin) {
    throw new EdgeError("plane-refused", `the plane enrolled ${String(origin)}, not ${identity.origin}`);
  }
  await writePin(folder.state, openPlaneCheckpoint(draft.anchor, trust));
  await writeConfig(folder.config, { url, ...config });
  await writeIdentity(folder, identity);
  return identity;
}

async function firstAnchor(
  url: string,
  token: string,
  trust: Awaited<ReturnType<typeof readTrust>>,
): Promise<PlaneCheckpoint> {
  const answer = await askPlane(url, { method: "GET", path: "/api/v1/genesis", token });
  const { plane, checkpoint } = jsonOf(answer, "the first anchor");
  if (plane !== trust.plane.name) {
    throw new EdgeError(
      "plane-untrusted",
      `the plane at ${url} is ${String(plane)}, the trust file is of ${trust.plane.name}`,
      {
        hint: "check the URL and the trust file",
      },
    );
  }
  return openPlaneCheckpoint(asText(checkpoint, "checkpoint", "plane-refused"), trust);
}
