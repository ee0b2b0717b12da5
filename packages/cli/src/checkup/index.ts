import { isPrivate, type PlaneFlags } from "../plane-client.ts";
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
  const given = carried(terminal, url.value) ? token.value : undefined;
  return [
    checkNode(process.version),
    await checkFolder(dir),
    await checkKeyFiles(dir),
    await checkDiskSpace(dir),
    ...(await checkPlane(url, given, given !== token.value)),
    await checkTrust(terminal, trust),
    ...(await checkPlaneKeys(terminal, { url: url.value, token: given, trust: trust.value })),
  ];
}

/** Whether a token may travel there, by the rule that every other command goes by. */
function carried({ env }: Terminal, url: string | undefined): boolean {
  return env.TALLY_INSECURE_HTTP === "1" || url === undefined || !URL.canParse(url) || isPrivate(new URL(url));
}
