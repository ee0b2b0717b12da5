import { findings } from "../checkup/index.ts";
import { withJson, withPlane } from "../options.ts";
import type { PlaneFlags } from "../plane-client.ts";
import type { Register } from "../register.ts";
import { exitCodes, marks, print, table } from "../terminal/index.ts";

/** `tally doctor`: what on this machine could be in the way, and what to do about it. */
export const doctor: Register = (program, { terminal, finish }) => {
  const command = program
    .command("doctor")
    .summary("check this machine")
    .description("check this machine: Node, folder and permissions, disk space, the plane, its clock, the trust file")
    .option("--dir <dir>", "the folder of a device, plane or witness; TALLY_DIR")
    .option("--trust <file>", "the trust file; TALLY_TRUST");
  withJson(withPlane(command)).action(async (flags: PlaneFlags) => {
    const found = await findings(terminal, flags);
    print(terminal, flags.json, { findings: found }, () =>
      table(
        found.map(({ name, result, message, next }) => [
          marks[result],
          name,
          next === undefined ? message : `${message}: ${next}`,
        ]),
      ),
    );
    if (found.some(({ result }) => result === "bad")) finish(exitCodes.unexpected);
  });
};
