import type { FleetDecision } from "@tally/evidence";
import { decide, ledgersOf } from "../../fleet-decision.ts";
import { type KeyFlags, readSigningKey, withPassphrase } from "../../keys/index.ts";
import { withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import { deviceId, timeOf } from "../../question.ts";
import type { Register } from "../../register.ts";
import { print, say, usageError } from "../../terminal/index.ts";

interface Options extends PlaneFlags, KeyFlags {
  readonly compromisedAt?: string;
  readonly reason: string;
}

/** `tally device revoke DEVICE`: the device's keys count no more, by a signed statement for each of its ledgers. */
export const revoke: Register = (program, { terminal }) => {
  const command = program
    .command("revoke")
    .description("revoke a device's keys by a signed statement; what is proven older than the compromise still holds")
    .argument("<device>", "the device's id")
    .option(
      "--compromised-at <time>",
      "since when the keys may be in other hands; left out, nothing that they signed holds",
    )
    .requiredOption("--reason <text>", "why")
    .requiredOption("--key <key>", "private key of whoever manages the fleet");
  withJson(withPlane(withPassphrase(command))).action(async (device: string, options: Options) => {
    const { compromisedAt, reason, ...flags } = options;
    const id = deviceId(device);
    const compromiseTime = compromisedAt === undefined ? null : timeOf("--compromised-at", compromisedAt);
    await using key = await readSigningKey(terminal, flags);
    const client = await connect(terminal, flags);
    const ledgers = (await ledgersOf(client, id)).filter(({ state }) => state !== "awaiting");
    const left = ledgers.filter(({ state }) => state !== "revoked");
    if (left.length === 0) throw usageError(`the keys of ${id} are revoked already`, "see: tally device status");
    const statements = await decide(
      client,
      left.map(
        ({ origin, genesis: subject, keySetId }): FleetDecision => ({
          decision: "revoke",
          subject,
          origin,
          keyId: keySetId,
          compromiseTime,
          reason,
        }),
      ),
      key,
    );
    print(terminal, flags.json, { revoked: id, compromiseTime, statements }, () => [id]);
    const since =
      compromiseTime === null
        ? "nothing that its keys signed holds"
        : `as of ${new Date(compromiseTime).toISOString()}`;
    say(terminal, `revoked: ${since}`);
  });
};
