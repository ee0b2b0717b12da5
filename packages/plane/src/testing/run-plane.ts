// A plane in a process of its own, to be killed: node run-plane.ts DIR [POLICY]. Writes its URL on a line.
import { startPlane } from "../start-plane.ts";
import { planeName } from "./test-plane.ts";

const [dir = "", witnessPolicy] = process.argv.slice(2);
const plane = await startPlane({
  dir,
  name: planeName,
  sealIntervalMs: 20,
  init: true,
  ...(witnessPolicy !== undefined && { witnessPolicy }),
});
process.stdout.write(`${plane.url}\n`);
