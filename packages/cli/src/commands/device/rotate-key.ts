import { rotateKeys } from "@tally/edge";
import { deviceFolderOf, withDeviceFolder } from "../../device-folder.ts";
import { withJson } from "../../options.ts";
import type { Register } from "../../register.ts";
import { print, say } from "../../terminal/index.ts";

interface Options {
  readonly dir?: string;
  readonly json?: boolean;
}

/** `tally device rotate-key`: new keys for a device, which the old ones hand over to. */
export const rotateKey: Register = (program, { terminal }) => {
  const command = program
    .command("rotate-key")
    .description(
      "give the device new keys: one checkpoint is signed by the old ones and the new ones, then the new ones alone",
    );
  withJson(withDeviceFolder(command)).action(async ({ json, ...options }: Options) => {
    const { origin } = await rotateKeys({ dir: await deviceFolderOf(terminal, options) });
    print(terminal, json, { origin }, () => [origin]);
    say(terminal, "the device signs with its new keys; the old ones were removed from its folder");
  });
};
