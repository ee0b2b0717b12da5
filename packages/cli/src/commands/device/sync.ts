import { syncRound } from "@tally/edge";
import { deviceFolderOf, withDeviceFolder } from "../../device-folder.ts";
import { withJson } from "../../options.ts";
import type { Register } from "../../program.ts";
import { print, say } from "../../terminal/index.ts";
import { withDevice } from "../../with-device.ts";

interface Options {
  readonly dir?: string;
  readonly json?: boolean;
}

/** `tally device sync`: what happened on the device goes to the plane, captured data with it. */
export const sync: Register = (program, { terminal }) => {
  const command = program
    .command("sync")
    .description(
      "bring the plane up to date: ledger, and what capture kept as segments; a running agent does so by itself",
    );
  withJson(withDeviceFolder(command)).action(async (options: Options) => {
    const dir = await deviceFolderOf(terminal, options);
    const { mirrored, sent, segments, anchoredTo, erasures } = await withDevice(dir, syncRound);
    const done = { mirrored, sent, anchoredTo, segments, erasures };
    print(terminal, options.json, done, () => [
      ...segments.map(({ artifact, rows }) => `${artifact}  ${rows} rows`),
      ...erasures.flatMap(({ statements }) => statements.map((digest) => `${digest}  erasure`)),
    ]);
    say(terminal, `${sent} new entries sent, the plane holds ${mirrored}`);
  });
};
