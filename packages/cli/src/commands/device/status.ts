import type { DeviceList, DeviceStatus } from "@tally/evidence";
import { isDevice, type LocalDevice, localDevice } from "../../local-device.ts";
import { withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import { deviceId } from "../../question.ts";
import type { Register } from "../../register.ts";
import { counted, print, required, settings, table } from "../../terminal/index.ts";

/** `tally device status`: the device of this folder, or the devices of a plane. */
export const status: Register = (program, { terminal }) => {
  const command = program
    .command("status")
    .description("how a device stands: the one in --dir, or as the plane has it, one or all")
    .argument("[device]", "the device's id")
    .option("--dir <dir>", "the folder of a device on this machine; TALLY_DIR");
  withJson(withPlane(command)).action(async (id: string | undefined, flags: PlaneFlags) => {
    const { dir } = await settings(terminal, flags);
    if (id === undefined && dir.from !== "default" && (flags.dir !== undefined || (await isDevice(required(dir))))) {
      const local = await localDevice(required(dir));
      return print(terminal, flags.json, local, () => localLines(local));
    }
    const path = id === undefined ? "/api/v1/devices" : `/api/v1/devices/${deviceId(id)}`;
    const found = await (await connect(terminal, flags)).get<DeviceList>(path);
    print(terminal, flags.json, found, () => [
      ...table(found.devices.map(row)),
      ...(id === undefined ? [] : found.devices.flatMap(details)),
    ]);
  });
};

function localLines(device: LocalDevice): readonly string[] {
  const { origin, url, release, capture, size, sealed, mirrored, lastSync, blocked } = device;
  return table([
    ["origin", origin],
    ["plane", url],
    ["entries", `${size}, ${sealed} sealed, ${mirrored} at the plane`],
    ["last sync", lastSync === null ? "never" : new Date(lastSync).toISOString()],
    ["release", release],
    ["capture", capture],
    ...(blocked === undefined ? [] : [["blocked", blocked]]),
  ]);
}

function row(device: DeviceStatus): string[] {
  const { deviceId: id, name, state, records, mirroredSize, lastSync, refusals } = device;
  return [
    id,
    name ?? "-",
    state,
    `${records} records`,
    `${mirroredSize} entries`,
    lastSync === null ? "never synced" : `synced ${new Date(lastSync).toISOString()}`,
    refusals.length === 0 ? "" : `${counted(refusals.length, "load")} refused`,
  ];
}

function details({ refusals, conflicts }: DeviceStatus): string[] {
  return [
    ...conflicts.map(
      ({ kind, reason, at, evidence }) => `${kind} at ${new Date(at).toISOString()}: ${reason} (evidence ${evidence})`,
    ),
    ...refusals.map(
      ({ index, manifest, reason }) => `entry ${index}: load of ${manifest ?? "an unknown model"} refused, ${reason}`,
    ),
  ];
}
