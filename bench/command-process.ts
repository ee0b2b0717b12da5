// One command of `tally` in a process of its own: node command-process.ts COMMAND…. Tells what it cost when it is done.

import { main } from "@tally/cli";

const began = performance.now();
const code = await main(process.argv.slice(2));
const { user, system } = process.cpuUsage();
process.exitCode = code;
process.send?.({
  code,
  seconds: (performance.now() - began) / 1000,
  cpuSeconds: (user + system) / 1e6,
  maxRssBytes: process.resourceUsage().maxRSS * 1024,
});
process.disconnect?.();
