import {
  type Digest,
  type NamedDigest,
  parseDigest,
  parseEnvelope,
  parseQuarantine,
  quarantineStatement,
  quarantineType,
  type StatementSubject,
} from "@tally/evidence";
import { openSigningKey } from "../../keys/index.ts";
import { parseDigestOption } from "../../options.ts";
import { connect } from "../../plane-client.ts";
import { signAndPost } from "../../post-statement.ts";
import type { Register } from "../../register.ts";
import { print, say, usageError } from "../../terminal/index.ts";
import { type SayFlags, withReason } from "./put.ts";

/** `tally quarantine lift STATEMENT`: what it keeps out may be used again. */
export const lift: Register = (group, { terminal }) => {
  const command = group
    .command("lift")
    .description("lift a quarantine: what it keeps out may be used again")
    .argument("<statement>", "digest of the quarantine, as `quarantine list` shows it", parseDigestOption);
  withReason(command).action(async (lifts: Digest, options: SayFlags) => {
    const client = await connect(terminal, options);
    const envelope = parseEnvelope(await client.bytes(`/api/v1/statements/${lifts}`));
    if (envelope.digest !== lifts) throw usageError(`the plane sent another envelope than ${lifts}`);
    const { predicateType, subject } = envelope.statement;
    if (predicateType !== quarantineType || parseQuarantine(envelope.statement).decision === "lift") {
      throw usageError(`${lifts} is no quarantine`, "see: tally quarantine list");
    }
    await using key = await openSigningKey(terminal, options);
    const word = quarantineStatement({
      decision: "lift",
      lifts: envelope.digest,
      subjects: subject.map(named),
      reason: options.reason,
      at: Date.now(),
    });
    const { digest: statement, index } = await signAndPost(client, word, key);
    print(terminal, options.json, { statement, index, lifts }, () => [statement]);
    say(terminal, `lifted ${lifts}: entry ${index} of the plane's log`);
  });
};

function named({ name, digest }: StatementSubject): NamedDigest {
  return { ...(name !== undefined && { name }), digest: parseDigest(`sha256:${digest.sha256}`) };
}
