import { join } from "node:path";
import { readSecret, writeSecret } from "../keys/key-file.ts";
import type { Tokens } from "./tokens.ts";

export const adminTokenFile = "admin.token";

/** Years, since nobody is there to renew it; administrators make shorter ones for daily use. */
const lifetime = 10 * 365 * 24 * 3600 * 1000;

/** Writes the first administrator's token to `admin.token`, once, for its owner only. */
export async function writeFirstAdminToken(dir: string, tokens: Tokens): Promise<void> {
  const path = join(dir, adminTokenFile);
  if ((await readSecret(path)) !== undefined) return;
  const { token } = await tokens.issue({ role: "admin", lifetime, note: "first administrator" });
  await writeSecret(path, `${token}\n`);
}
