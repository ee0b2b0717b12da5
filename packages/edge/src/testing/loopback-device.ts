import { writeFile } from "node:fs/promises";
import type { ConfigOverrides } from "../config.ts";
import { enroll } from "../enroll/enroll.ts";
import type { LoopbackPlane } from "./loopback-plane.ts";

/** Enrols a device of this plane in `dir` and returns the folder. */
export async function enrolDevice(
  plane: LoopbackPlane,
  dir: string,
  config: Omit<ConfigOverrides, "url"> = {},
): Promise<string> {
  const trustPath = `${dir}.trust.json`;
  await writeFile(trustPath, plane.keys.trustText);
  await enroll({ dir, url: plane.url, token: "enrol", trustPath, config });
  return dir;
}
