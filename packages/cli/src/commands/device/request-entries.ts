import type { EntryRequest, EntryRequestBody, EntryRequestList } from "@tally/evidence";
import { parseCount, withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import { deviceId } from "../../question.ts";
import type { Register } from "../../register.ts";
import { print, say } from "../../terminal/index.ts";

interface Options extends PlaneFlags {
  readonly to?: number;
  readonly list?: boolean;
}

/** `tally device request-entries ID`: what a device kept to itself is asked for. */
export const requestEntries: Register = (program, { terminal }) => {
  const command = program
    .command("request-entries")
    .description(
      "ask a device that syncs heads only for its entries, from the first one on; it sends them with its next sync",
    )
    .argument("<device>", "the device's id")
    .option("--to <count>", "how many; the default is all that its newest head covers", parseCount)
    .option("--list", "ask for nothing; show what was asked for and what has been delivered");
  withJson(withPlane(command)).action(async (device: string, { to, list, ...flags }: Options) => {
    const path = `/api/v1/devices/${deviceId(device)}/entry-requests`;
    const plane = await connect(terminal, flags);
    if (list === true) {
      const found = await plane.get<EntryRequestList>(path);
      return print(terminal, flags.json, found, () => found.requests.map(line));
    }
    const body: EntryRequestBody = { to: to ?? null };
    const asked = await plane.post<EntryRequest>(path, body);
    print(terminal, flags.json, asked, () => [line(asked)]);
    if (!asked.delivered) say(terminal, "the device sends them with its next sync");
  });
};

function line({ to, end, delivered }: EntryRequest): string {
  return `entries 0 to ${to}, by the checkpoint of size ${end}: ${delivered ? "delivered" : "asked for"}`;
}
