import type { Register } from "../../register.ts";
import { accept } from "./accept.ts";
import { decommission } from "./decommission.ts";
import { enroll } from "./enroll.ts";
import { erase } from "./erase.ts";
import { infer } from "./infer.ts";
import { label } from "./label.ts";
import { recover } from "./recover.ts";
import { requestEntries } from "./request-entries.ts";
import { revoke } from "./revoke.ts";
import { rotateKey } from "./rotate-key.ts";
import { run } from "./run.ts";
import { status } from "./status.ts";
import { sync } from "./sync.ts";
import { token } from "./token.ts";

/** `tally device`: devices, from both sides. */
export const device: Register = (program, context) => {
  const group = program.command("device").description("enrol, run and watch devices");
  for (const register of [
    token,
    enroll,
    run,
    infer,
    label,
    erase,
    sync,
    requestEntries,
    status,
    recover,
    rotateKey,
    accept,
    revoke,
    decommission,
  ])
    register(group, context);
};
