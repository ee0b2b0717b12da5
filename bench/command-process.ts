// Loaded before a command of `tally` that is measured: writes what it cost to file descriptor 3 when it ends.

import { writeSync } from "node:fs";

process.on("exit", () => {
  const { user, system } = process.cpuUsage();
  writeSync(
    3,
    JSON.stringify({ cpuSeconds: (user + system) / 1e6, maxRssBytes: process.resourceUsage().maxRSS * 1024 }),
  );
});
