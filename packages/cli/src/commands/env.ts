import { withJson, withPlane } from "../options.ts";
import type { PlaneFlags } from "../plane-client.ts";
import type { Register } from "../register.ts";
import { print, type Setting, settings, table } from "../terminal/index.ts";

/** `tally env`: which settings hold, and where each comes from. */
export const env: Register = (program, { terminal }) => {
  const command = program
    .command("env")
    .summary("show which settings hold, and from where")
    .description(
      "show which settings hold and where each comes from: flags, then TALLY_*, then config.json in the folder",
    )
    .option("--dir <dir>", "the folder; TALLY_DIR")
    .option("--trust <file>", "the trust file; TALLY_TRUST");
  withJson(withPlane(command)).action(async (flags: PlaneFlags) => {
    const all = Object.values(await settings(terminal, flags)).map(shown);
    print(
      terminal,
      flags.json,
      Object.fromEntries(all.map(({ name, value, from }) => [name, { value: value ?? null, from }])),
      () => table(all.map(({ name, value, from }) => [name, value ?? "", from])),
    );
  });
};

/** A token is recognised by its beginning, and not given away. */
function shown(setting: Setting): Setting {
  if (setting.name !== "token" || setting.value === undefined) return setting;
  return { ...setting, value: `${setting.value.slice(0, 8)}…` };
}
