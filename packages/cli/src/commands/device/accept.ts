import type { DeviceStatus, Digest, FleetDecision } from "@tally/evidence";
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

/** `tally device accept DEVICE`: lets a device in that was restored, or that could not be reconciled. */
export const accept: Register = (program, { terminal }) => {
  const command = program
    .command("accept")
    .description(
      "let a device go on by a signed statement: in the new epoch that it asks for after a restore, or where it diverged",
    )
    .argument("<device>", "the device's id")
    .requiredOption("--reason <text>", "why, such as what was restored and by whom")
    .requiredOption("--key <key>", "private key of whoever manages the fleet");
  withJson(withPlane(withPassphrase(command))).action(async (device: string, { reason, ...flags }: Options) => {
    const id = deviceId(device);
    await using key = await readSigningKey(terminal, flags);
    const client = await connect(terminal, flags);
    const ledgers = await ledgersOf(client, id);
    const decision = decisionOn(ledgers, reason);
    if (decision === undefined) {
      const state = ledgers.at(-1)?.state ?? "unknown";
      throw usageError(`${id} is ${state}, and asks for nothing`, "see: tally device status");
    }
    const [statement] = await decide(client, [decision], key);
    const { origin } = decision;
    print(terminal, flags.json, { accepted: origin, decision: decision.decision, statement }, () => [origin ?? id]);
    say(
      terminal,
      decision.decision === "accept-epoch" ? `accepted: the device goes on as ${origin}` : `let in again: ${origin}`,
    );
  });
};

function decisionOn(ledgers: readonly DeviceStatus[], reason: string): FleetDecision | undefined {
  const awaiting = ledgers.findLast(({ state }) => state === "awaiting");
  if (awaiting !== undefined) {
    return { decision: "accept-epoch", subject: awaiting.genesis, origin: awaiting.origin, reason };
  }
  const diverged = ledgers.findLast(({ state }) => state === "diverged");
  if (diverged === undefined) return undefined;
  const { genesis: subject, origin, conflicts } = diverged;
  const settles = conflicts.map(({ evidence }) => evidence as Digest);
  return { decision: "reinstate", subject, origin, reason, settles };
}
