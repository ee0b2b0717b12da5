import type { Digest, FleetDecision, IdentityList } from "@tally/evidence";
import { decide } from "../fleet-decision.ts";
import { identityIdOf } from "../identity-id.ts";
import { type KeyFlags, readSigningKey, withPassphrase } from "../keys/index.ts";
import { withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import { timeOf } from "../question.ts";
import type { Register } from "../register.ts";
import { print, say, usageError } from "../terminal/index.ts";

interface Options extends PlaneFlags, KeyFlags {
  readonly compromisedAt?: string;
  readonly reason: string;
}

/** `tally identity revoke WHO`: a person's key counts no more, for verifiers everywhere. */
export const revokeIdentity: Register = (program, { terminal }) => {
  const command = program
    .command("revoke")
    .description("revoke a person's key by a signed statement; what is proven older than the compromise still holds")
    .argument("<who>", "the key's id, or a name: then every key and every keyless identity of that name")
    .option(
      "--compromised-at <time>",
      "since when the key may be in other hands; left out, nothing that it signed holds",
    )
    .requiredOption("--reason <text>", "why")
    .requiredOption("--key <key>", "private key of whoever manages the fleet");
  withJson(withPlane(withPassphrase(command))).action(async (who: string, options: Options) => {
    const { compromisedAt, reason, ...flags } = options;
    const compromiseTime = compromisedAt === undefined ? null : timeOf("--compromised-at", compromisedAt);
    if (compromiseTime !== null && compromiseTime > Date.now()) {
      throw usageError(
        `--compromised-at ${compromisedAt} is still to come: all that the key signs until then would hold`,
        "give the time from which somebody else may have had it, or `tally identity rotate` for a change that is planned",
      );
    }
    if (reason === "") throw usageError("a revocation needs a reason", "say it in a sentence: --reason TEXT");
    await using key = await readSigningKey(terminal, flags);
    const client = await connect(terminal, flags);
    const { identities } = await client.get<IdentityList>("/api/v1/identities");
    const keyIds = identities
      .map((identity) => ({ name: identity.name, keyId: identityIdOf(identity) }))
      .filter(({ name, keyId }) => name === who || keyId === who)
      .map(({ keyId }) => keyId);
    if (keyIds.length === 0)
      throw usageError(
        `the plane knows nobody called ${who}`,
        "see `tally identity list`; a key is named by its whole id",
      );
    const statements = await decide(
      client,
      keyIds.map(
        (keyId): FleetDecision => ({
          decision: "revoke",
          subject: `sha256:${keyId}` as Digest,
          origin: null,
          keyId,
          compromiseTime,
          reason,
        }),
      ),
      key,
    );
    print(terminal, flags.json, { revoked: keyIds, compromiseTime, statements }, () => keyIds);
    const since =
      compromiseTime === null ? "nothing that it signed holds" : `as of ${new Date(compromiseTime).toISOString()}`;
    say(terminal, `revoked: ${since}`);
  });
};
