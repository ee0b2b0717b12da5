// A device that records until it is killed. Prints `index ordinal` of each record once it was acknowledged.

import { openDevice } from "../device.ts";

const device = await openDevice({ dir: process.argv[2]! });
const model = await device.declare({ grade: "declared", runtime: "test", provider: "none" });
for (;;) {
  const batch = Array.from({ length: 20 }, (_, i) => device.record({ model, input: `${i}`, output: "out" }));
  for (const { index, ordinal } of await Promise.all(batch)) process.stdout.write(`${index} ${ordinal}\n`);
}
