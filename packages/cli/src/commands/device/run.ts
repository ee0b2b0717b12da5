import { runAgent, type SyncRound } from "@tally/edge";
import { deviceFolderOf, withDeviceFolder } from "../../device-folder.ts";
import type { Register } from "../../register.ts";
import { say } from "../../terminal/index.ts";
import { untilStopped } from "../../until-stopped.ts";

interface Options {
  readonly dir?: string;
  readonly listen: string;
}

/** `tally device run`: the device's agent, for programs in any language on the same machine. */
export const run: Register = (program, { terminal }) => {
  const command = program
    .command("run")
    .description("run the device's agent: an HTTP endpoint for programs on this machine, and a sync now and then")
    .option("--listen <address>", "127.0.0.1:PORT, [::1]:PORT or unix:PATH; port 0 takes a free one", "127.0.0.1:7410");
  withDeviceFolder(command).action(async (options: Options) => {
    const agent = await runAgent({
      dir: await deviceFolderOf(terminal, options),
      listen: options.listen,
      signals: [],
      onRound: (outcome) =>
        say(terminal, "round" in outcome ? told(outcome.round) : `sync: ${messageOf(outcome.error)}`),
    });
    terminal.stdout.write(`${agent.address}\n`);
    say(terminal, `device ${agent.device.origin}`);
    await untilStopped(terminal);
    await agent.close();
  });
};

function told({ sent, mirrored, segments }: SyncRound): string {
  const packed = segments.length === 0 ? "" : `, ${segments.length} segments`;
  return `sync: ${sent} new entries${packed}, the plane holds ${mirrored}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
