import type { PlaneFlags } from "../plane-client.ts";
import { settings, type Terminal } from "../terminal/index.ts";
import type { Finding } from "./finding.ts";
import { checkDiskSpace, checkFolder, checkKeyFiles } from "./folder.ts";
import { checkNode } from "./node.ts";
import { checkPlane } from "./plane.ts";
import { checkPlaneKeys } from "./plane-keys.ts";
import { checkTrust } from "./trust.ts";

export type { Finding } from "./finding.ts";

/** Looks at everything that commands stand on, from the inside out. */
export async function findings(terminal: Terminal, flags: PlaneFlags): Promise<readonly Finding[]> {
  const { dir, url, token, trust } = await settings(terminal, flags);
  return [
    checkNode(process.version),
    await checkFolder(dir),
    await checkKeyFiles(dir),
    await checkDiskSpace(dir),
    ...(await checkPlane(url, token.value)),
    await checkTrust(terminal, trust),
    ...(await checkPlaneKeys(terminal, { url: url.value, token: token.value, trust: trust.value })),
  ];
}
