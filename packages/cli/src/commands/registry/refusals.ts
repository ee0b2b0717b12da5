import type { RefusalList } from "@tally/evidence";
import { withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import { print, say } from "../../terminal/index.ts";

/** `tally registry refusals`: what write-once rules refused. */
export const refusals: Register = (group, { terminal }) => {
  const command = group
    .command("refusals")
    .description(
      "deletions and moved tags that write-once rules refused, newest first; each is an entry of the plane's log",
    );
  withJson(withPlane(command)).action(async (flags: PlaneFlags) => {
    const list = (await (await connect(terminal, flags)).get<RefusalList>("/api/v1/registry/refusals")).refusals;
    print(terminal, flags.json, list, () =>
      list.map(({ repository, action, tag, digest, rule, n, last, index }) => {
        const what = tag === "" ? `${repository}@${digest}` : `${repository}:${tag}, which is ${digest}`;
        return `${new Date(last).toISOString()} ${action} ${what}: rule ${rule}, ${n === 1 ? "once" : `${n} times`}, entry ${index}`;
      }),
    );
    if (list.length === 0) say(terminal, "nothing was refused");
  });
};
