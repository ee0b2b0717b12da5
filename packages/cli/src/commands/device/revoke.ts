import type { RevokeRequest } from "@tally/evidence";
import { withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../program.ts";
import { deviceId, timeOf } from "../../question.ts";
import { print, say } from "../../terminal/index.ts";

interface Options extends PlaneFlags {
  readonly compromisedAt?: string;
  readonly reason: string;
}

/** `tally device revoke ID`: the device's keys count no more. */
export const revoke: Register = (program, { terminal }) => {
  const command = program
    .command("revoke")
    .description("revoke a device's keys (for administrators); what is proven older than the compromise still holds")
    .argument("<device>", "the device's id")
    .option(
      "--compromised-at <time>",
      "since when the keys may be in other hands; left out, nothing that they signed holds",
    )
    .requiredOption("--reason <text>", "why");
  withJson(withPlane(command)).action(async (device: string, { compromisedAt, reason, ...flags }: Options) => {
    const id = deviceId(device);
    const compromiseTime = compromisedAt === undefined ? null : timeOf("--compromised-at", compromisedAt);
    const body: RevokeRequest = { compromiseTime, reason };
    await (await connect(terminal, flags)).post(`/api/v1/devices/${id}/revoke`, body);
    print(terminal, flags.json, { revoked: id, compromiseTime }, () => [id]);
    const since =
      compromiseTime === null
        ? "nothing that its keys signed holds"
        : `as of ${new Date(compromiseTime).toISOString()}`;
    say(terminal, `revoked: ${since}`);
  });
};
