import { syncRound } from "@tally/edge";
import { deviceFolderOf, withDeviceFolder } from "../../device-folder.ts";
import { withJson } from "../../options.ts";
import type { Register } from "../../register.ts";
import { print, say } from "../../terminal/index.ts";
import { withDevice } from "../../with-device.ts";

interface Options {
  readonly dir?: string;
  readonly json?: boolean;
  readonly headsOnly?: boolean;
}

/** `tally device sync`: what happened on the device goes to the plane, captured data with it. */
export const sync: Register = (program, { terminal }) => {
  const command = program
    .command("sync")
    .description(
      "bring the plane up to date: ledger, and what capture kept as segments; a running agent does so by itself",
    )
    .option("--heads-only", "send the signed head alone; entries stay here until they are asked for");
  withJson(withDeviceFolder(command)).action(async (options: Options) => {
    const dir = await deviceFolderOf(terminal, options);
    const round = await withDevice(dir, (device) => syncRound(device), options.headsOnly ? { sync: "heads-only" } : {});
    const { mirrored, sent, proven, segments, anchoredTo, erasures } = round;
    const done = { mirrored, sent, proven, anchoredTo, segments, erasures };
    print(terminal, options.json, done, () => [
      ...segments.map(({ artifact, rows }) => `${artifact}  ${rows} rows`),
      ...erasures.flatMap(({ statements }) => statements.map((digest) => `${digest}  erasure`)),
    ]);
    const head = proven > mirrored ? `, and the head of ${proven}` : "";
    say(terminal, `${sent} new entries sent, the plane holds ${mirrored}${head}`);
  });
};
