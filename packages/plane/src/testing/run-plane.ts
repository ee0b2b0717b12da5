// A plane in a process of its own, to be killed: node run-plane.ts DIR [POLICY] [--log]. Writes its URL on a line.
import { startPlane } from "../start/index.ts";
import { planeName } from "./test-plane.ts";

const [dir = "", witnessPolicy = "", log] = process.argv.slice(2);
const plane = await startPlane({
  dir,
  name: planeName,
  sealIntervalMs: 20,
  init: true,
  log: log === "--log",
  ...(witnessPolicy !== "" && { witnessPolicy }),
});
process.stdout.write(`${plane.url}\n`);
