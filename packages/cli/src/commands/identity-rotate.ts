import { keyRotationStatement } from "@tally/evidence";
import { type KeyFlags, readSigningKey, withPassphrase } from "../keys/index.ts";
import { withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import { signAndPost } from "../post-statement.ts";
import { timeOf } from "../question.ts";
import type { Register } from "../register.ts";
import { print, say, usageError } from "../terminal/index.ts";

interface Options extends PlaneFlags, KeyFlags {
  readonly newKey: string;
  readonly newPassphraseFile?: string;
  readonly retiresAt?: string;
  readonly reason: string;
}

/** Long enough for what the old key has just signed to be proven older by a cosigned checkpoint. */
const anHour = 3_600_000;

/** `tally identity rotate`: a person goes on with another key, by a statement that both keys sign. */
export const rotateIdentity: Register = (program, { terminal }) => {
  const command = program
    .command("rotate")
    .description("go on with a new key, which both keys sign; what the old one signed before it retires still holds")
    .requiredOption("--key <key>", "the private key so far")
    .requiredOption("--new-key <key>", "the private key that takes its place")
    .option("--new-passphrase-file <file>", "whose first line is the new key's passphrase")
    .option("--retires-at <time>", "until when the old key counts, by proven time; in an hour, if left out")
    .requiredOption("--reason <text>", "why");
  withJson(withPlane(withPassphrase(command))).action(async (options: Options) => {
    const { newKey, newPassphraseFile, reason, ...flags } = options;
    const retiresAt = flags.retiresAt === undefined ? Date.now() + anHour : timeOf("--retires-at", flags.retiresAt);
    await using old = await readSigningKey(terminal, flags);
    await using next = await readSigningKey(terminal, {
      key: newKey,
      ...(newPassphraseFile !== undefined && { passphraseFile: newPassphraseFile }),
    });
    const { signer } = next;
    if (signer.keyId === old.signer.keyId) {
      throw usageError("a key cannot take its own place", "make another one: tally keygen NAME");
    }
    if (reason === "") throw usageError("a rotation needs a reason", "say it in a sentence: --reason TEXT");
    const rotation = { oldKeyId: old.signer.keyId, newKey: signer.identity, retiresAt, reason };
    const client = await connect(terminal, flags);
    const key = { signer: old.signer, others: [signer] };
    const { digest } = await signAndPost(client, keyRotationStatement(rotation), key);
    const made = { oldKeyId: rotation.oldKeyId, newKeyId: signer.keyId, retiresAt, statement: digest };
    print(terminal, flags.json, made, () => [signer.keyId]);
    say(terminal, `key ${signer.keyId} takes the place of ${rotation.oldKeyId}`);
    say(terminal, `what the old one signed counts where it is proven older than ${new Date(retiresAt).toISOString()}`);
  });
};
