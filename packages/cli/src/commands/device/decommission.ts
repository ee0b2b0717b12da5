import type { FleetDecision } from "@tally/evidence";
import { decide, ledgersOf } from "../../fleet-decision.ts";
import { type KeyFlags, readSigningKey, withPassphrase } from "../../keys/index.ts";
import { withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import { deviceId } from "../../question.ts";
import type { Register } from "../../register.ts";
import { print, say, usageError } from "../../terminal/index.ts";

interface Options extends PlaneFlags, KeyFlags {
  readonly reason: string;
}

/** `tally device decommission DEVICE`: its ledgers end; what they recorded goes on holding. */
export const decommission: Register = (program, { terminal }) => {
  const command = program
    .command("decommission")
    .description("end a device's ledgers for good by a signed statement; what they recorded goes on holding")
    .argument("<device>", "the device's id")
    .requiredOption("--reason <text>", "why")
    .requiredOption("--key <key>", "private key of whoever manages the fleet");
  withJson(withPlane(withPassphrase(command))).action(async (device: string, { reason, ...flags }: Options) => {
    const id = deviceId(device);
    await using key = await readSigningKey(terminal, flags);
    const client = await connect(terminal, flags);
    const ledgers = (await ledgersOf(client, id)).filter(
      ({ state }) => !["awaiting", "revoked", "decommissioned"].includes(state),
    );
    if (ledgers.length === 0) throw usageError(`${id} has no ledger that could be ended`, "see: tally device status");
    const statements = await decide(
      client,
      ledgers.map(
        ({ origin, genesis: subject }): FleetDecision => ({ decision: "decommission", subject, origin, reason }),
      ),
      key,
    );
    print(terminal, flags.json, { decommissioned: id, statements }, () => [id]);
    say(terminal, "decommissioned: the plane takes nothing more from it");
  });
};
