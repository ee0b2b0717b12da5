import { type ConfigOverrides, type Device, openDevice } from "@tally/edge";

/** Opens the device for one command, and closes it whatever happens: a run that ended well is said so in its ledger. */
export async function withDevice<T>(
  dir: string,
  work: (device: Device) => Promise<T>,
  config: ConfigOverrides = {},
): Promise<T> {
  const device = await openDevice({ dir, config });
  try {
    return await work(device);
  } finally {
    await device.close();
  }
}
