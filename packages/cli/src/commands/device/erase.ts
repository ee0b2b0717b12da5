import { deviceFolderOf, withDeviceFolder } from "../../device-folder.ts";
import { parseCount, withJson } from "../../options.ts";
import type { Register } from "../../register.ts";
import { print, say, usageError } from "../../terminal/index.ts";
import { withDevice } from "../../with-device.ts";

interface Options {
  readonly dir?: string;
  readonly subject?: string;
  readonly record?: number;
  readonly json?: boolean;
}

/** `tally device erase`: what was recorded of someone can no longer be opened; that it was recorded stays proven. */
export const erase: Register = (program, { terminal }) => {
  const command = program
    .command("erase")
    .description(
      "destroy for good the contents of records: keys and captured payloads here, and rows of segments with the next syncs; proofs stay",
    )
    .option("--subject <id>", "all records of this subject, as it was named when they were made")
    .option("--record <index>", "one record, and the labels of it", parseCount);
  withJson(withDeviceFolder(command)).action(async ({ subject, record, ...options }: Options) => {
    if ((subject === undefined) === (record === undefined)) {
      throw usageError("name what to erase", "give either --subject or --record");
    }
    const dir = await deviceFolderOf(terminal, options);
    const request = subject === undefined ? { record: record! } : { subject };
    const { origin, records } = await withDevice(dir, (device) => device.erase(request));
    print(terminal, options.json, { origin, records }, () => records.map((index) => `${origin} #${index}`));
    say(
      terminal,
      `erased what ${records.length === 1 ? "1 entry commits" : `${records.length} entries commit`} to; \`tally device sync\` replaces their segments and tells the plane`,
    );
    say(terminal, "copies and backups of this folder, and flash memory, may still hold what was overwritten");
  });
};
