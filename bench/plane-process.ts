// A control plane in a process of its own: node plane-process.ts DIR. Tells its URL, then answers "usage" until "stop".

import { readFile } from "node:fs/promises";
import { startPlane } from "@tally/plane";

/** What the process has used since it began. */
export interface Usage {
  readonly cpuMicros: number;
  readonly rssBytes: number;
  readonly maxRssBytes: number;
}

// One client asks here for all that a fleet and its people would.
const requests = { perSecond: 1_000_000 };
const plane = await startPlane({ dir: process.argv[2]!, name: "tally.bench/plane", requests });
const adminToken = (await readFile(plane.adminTokenPath, "utf8")).trim();

process.on("message", async (message) => {
  if (message === "usage") {
    const { user, system } = process.cpuUsage();
    const usage: Usage = {
      cpuMicros: user + system,
      rssBytes: process.memoryUsage.rss(),
      maxRssBytes: process.resourceUsage().maxRSS * 1024,
    };
    process.send!({ usage });
  } else if (message === "stop") {
    await plane.close();
    process.disconnect?.();
  }
});
process.send!({ url: plane.url, adminToken });
