import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromHex, type KeySet, type NoteSigner, noteSignerFromPem } from "@tally/evidence";
import { EdgeError, messageOf } from "./error.ts";
import type { DeviceFolder } from "./folder/device-folder.ts";
import { readIfPresent, writeDurably } from "./folder/durable-file.ts";
import { asCount, asText, parseObject } from "./folder/json.ts";

/** Who this device is to its plane. */
export interface DeviceIdentity {
  /** The plane's name. */
  readonly plane: string;
  /** 16 random bytes, lower-case hex. */
  readonly deviceId: string;
  readonly epoch: number;
  /** `<plane>/d/<device id>/<epoch>`: the name of its ledger. */
  readonly origin: string;
}

export function deviceIdentity(plane: string, deviceId: string, epoch: number): DeviceIdentity {
  return Object.freeze({ plane, deviceId, epoch, origin: `${plane}/d/${deviceId}/${epoch}` });
}

/** The identity that enrolment stored; undefined before it is complete. */
export async function readIdentity(folder: DeviceFolder): Promise<DeviceIdentity | undefined> {
  const path = identityPath(folder);
  const bytes = await readIfPresent(path);
  if (bytes === undefined) return undefined;
  const { plane, deviceId, epoch } = parseObject(new TextDecoder().decode(bytes), path, "damaged");
  const id = asText(deviceId, `${path}: deviceId`, "damaged");
  if (fromHex(id).length !== 16) throw new EdgeError("damaged", `${path}: deviceId has not 16 bytes`);
  return deviceIdentity(asText(plane, `${path}: plane`, "damaged"), id, asCount(epoch, `${path}: epoch`, "damaged"));
}

export function writeIdentity(folder: DeviceFolder, { plane, deviceId, epoch }: DeviceIdentity): Promise<void> {
  return writeDurably(identityPath(folder), `${JSON.stringify({ plane, deviceId, epoch })}\n`);
}

/** The default key set: Ed25519 for the tools of today, ML-DSA-44 for as long as a record must last. */
export const deviceKeys = [
  { type: 1, algorithm: "ed25519", file: "ed25519.pem" },
  { type: 6, algorithm: "ml-dsa-44", file: "ml-dsa-44.pem" },
] as const;

/** The device's signers, each named by the origin. The first signs sessions, too. */
export async function readSigners(folder: DeviceFolder, origin: string): Promise<readonly NoteSigner[]> {
  return Promise.all(
    deviceKeys.map(async ({ type, file }) => {
      const path = join(folder.keys, file);
      try {
        return noteSignerFromPem(origin, type, await readFile(path, "utf8"));
      } catch (cause) {
        throw new EdgeError("damaged", `the key ${path} cannot be used: ${messageOf(cause)}`, {
          cause,
          hint: "restore the folder from where it was, or enrol a new device",
        });
      }
    }),
  );
}

export function keySetOf(signers: readonly NoteSigner[]): KeySet {
  return signers.map(({ key }) => ({ type: key.type, publicKey: key.publicKey }));
}

function identityPath(folder: DeviceFolder): string {
  return join(folder.state, "device.json");
}
