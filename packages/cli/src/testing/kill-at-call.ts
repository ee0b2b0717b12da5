// Preloaded into a process that is to die as by a power cut: at the n-th call that opens, renames or makes something. For tests.

import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

let left = Number(process.env.TALLY_TEST_KILL_AT);

for (const name of ["open", "rename", "mkdir", "writeFile"] as const) {
  const real = promises[name] as (...args: never[]) => unknown;
  Object.assign(promises, {
    [name]: (...args: never[]) => {
      left -= 1;
      if (left === 0) process.kill(process.pid, "SIGKILL");
      return real(...args);
    },
  });
}
syncBuiltinESMExports();
