import { type ChannelResponse, releaseStatement, splitChannel } from "@tally/evidence";
import { manifestOf } from "../artifact.ts";
import { openSigningKey, type SigningFlags, withKeyless, withPassphrase } from "../keys/index.ts";
import { withJson, withPlane } from "../options.ts";
import { connect, type PlaneClient, type PlaneFlags } from "../plane-client.ts";
import { signAndPost } from "../post-statement.ts";
import type { Register } from "../register.ts";
import { CliError, print, say } from "../terminal/index.ts";

interface Options extends PlaneFlags, SigningFlags {
  readonly id?: string;
}

/** `tally release DIGEST|REF CHANNEL`: from now on the channel leads to this model. Rolling back is a new release. */
export const release: Register = (program, { terminal }) => {
  const command = program
    .command("release")
    .summary("let a channel lead to a model")
    .description("let a channel lead to a model; to roll back, release the older model again")
    .argument("<model>", "digest of the manifest, or repository:tag")
    .argument("<channel>", "repository:name, such as breast-cancer:stable")
    .option("--key <key>", "private key of who releases")
    .option("--id <text>", "what the release is called; the default is its sequence number");
  withJson(withPlane(withKeyless(withPassphrase(command)))).action(
    async (model: string, channel: string, options: Options) => {
      const { repository } = splitChannel(channel);
      await using key = await openSigningKey(terminal, options);
      const client = await connect(terminal, options);
      const manifest = await manifestOf(client, model);
      const sequence = (await newestSequence(client, channel)) + 1;
      const purl = `pkg:oci/${repository.split("/").at(-1)}@${encodeURIComponent(manifest)}`;
      const statement = releaseStatement({
        manifest,
        purl,
        releaseId: options.id ?? String(sequence),
        channel,
        sequence,
      });
      const { digest, index } = await signAndPost(client, statement, key);
      print(terminal, options.json, { channel, manifest, sequence, statement: digest, index }, () => [digest]);
      say(terminal, `${channel} #${sequence} is ${manifest}: entry ${index} of the plane's log`);
    },
  );
};

/** 0 where nothing was released to it yet. */
async function newestSequence(client: PlaneClient, channel: string): Promise<number> {
  const { repository, name } = splitChannel(channel);
  try {
    return (await client.get<ChannelResponse>(`/api/v1/channels/${repository}/${name}`)).sequence;
  } catch (error) {
    if (error instanceof CliError && error.code === "not-found") return 0;
    throw error;
  }
}
