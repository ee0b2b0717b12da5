import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PlaneClient } from "../plane-client.ts";
import { usageError } from "../terminal/index.ts";
import { importFolder } from "./import-folder.ts";

/**
 * A plane on a folder, for as long as something is taken in: behind a socket in a folder that only this user may enter, and no
 * network. It must not run meanwhile.
 */
export async function openPlaneFolder(dir: string): Promise<{ client: PlaneClient } & AsyncDisposable> {
  const name = await planeNameIn(dir);
  const { startPlane } = await import("@tally/plane");
  const folder = await importFolder();
  const socket = join(folder.path, "plane.sock");
  try {
    // Witnesses that cannot be asked now are asked when it is next served: until then nothing new is signed.
    const witnessPolicy = await readFile(join(dir, "witness-policy.txt"), "utf8").catch(() => undefined);
    const plane = await startPlane({ dir, name, socket, ...(witnessPolicy && { witnessPolicy }) });
    const token = (await readFile(plane.adminTokenPath, "utf8")).trim();
    const url = { name: "url", value: "http://localhost", from: "the folder" } as const;
    return {
      client: new PlaneClient(url, token, false, socket),
      async [Symbol.asyncDispose]() {
        await plane.close();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

/** The name of the plane in a folder. @throws CliError usage where there is none */
export async function planeNameIn(dir: string): Promise<string> {
  try {
    const { name } = JSON.parse(await readFile(join(dir, "plane.json"), "utf8")) as { name?: unknown };
    if (typeof name === "string") return name;
  } catch {}
  throw usageError(`${dir} is no plane's folder`, "begin one: tally serve --dir FOLDER --name NAME");
}
