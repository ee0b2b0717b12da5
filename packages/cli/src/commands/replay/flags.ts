import type { PlaneFlags } from "../../plane-client.ts";

/** What was written after `tally replay DEVICE/INDEX`. */
export interface ReplayFlags extends PlaneFlags {
  readonly dir?: string;
  readonly modelFolder?: string;
  readonly tolerance: number;
  readonly identity?: readonly string[];
}
