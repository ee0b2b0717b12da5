import { approvalStatement, evaluationType, type StatementList } from "@tally/evidence";
import { manifestOf } from "../artifact.ts";
import { openSigningKey, type SigningFlags, withKeyless, withPassphrase } from "../keys/index.ts";
import { withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import { signAndPost } from "../post-statement.ts";
import type { Register } from "../register.ts";
import { counted, print, say } from "../terminal/index.ts";

interface Options extends PlaneFlags, SigningFlags {
  readonly reject?: boolean;
  readonly note?: string;
}

/** `tally approve DIGEST|REF`: somebody other than who made the model says that it may be released. */
export const approve: Register = (program, { terminal }) => {
  const command = program
    .command("approve")
    .summary("approve a model, or reject it")
    .description("approve a model, or reject it; who made it cannot approve it")
    .argument("<model>", "digest of the manifest, or repository:tag")
    .option("--key <key>", "private key of the reviewer")
    .option("--reject", "reject it: it is not released from now on")
    .option("--note <text>", "why, in a sentence");
  withJson(withPlane(withKeyless(withPassphrase(command)))).action(async (model: string, options: Options) => {
    await using key = await openSigningKey(terminal, options);
    const client = await connect(terminal, options);
    const manifest = await manifestOf(client, model);
    const query = new URLSearchParams({ subject: manifest, type: evaluationType });
    const { statements } = await client.get<StatementList>(`/api/v1/statements?${query}`);
    const approval = approvalStatement({
      manifest,
      decision: options.reject === true ? "rejected" : "approved",
      evaluated: statements.map(({ digest }) => digest),
      ...(options.note !== undefined && { note: options.note }),
    });
    const { digest, index } = await signAndPost(client, approval, key);
    const decision = options.reject === true ? "rejected" : "approved";
    print(terminal, options.json, { manifest, decision, statement: digest, index }, () => [digest]);
    say(
      terminal,
      `${decision} ${manifest}, having seen ${counted(statements.length, "evaluation")}: entry ${index} of the plane's log`,
    );
  });
};
