import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { replayRecord } from "@tally/edge";
import { withDeviceFolder } from "../../device-folder.ts";
import { collect, withJson, withPlane } from "../../options.ts";
import { recordOf } from "../../record-place.ts";
import type { Register } from "../../register.ts";
import { CliError, exitCodes, print, usageError } from "../../terminal/index.ts";
import { findRecord } from "./find-record.ts";
import type { ReplayFlags } from "./flags.ts";
import { modelFolder } from "./model-folder.ts";
import { replayAsJson, replayLines } from "./replay-lines.ts";

/** `tally replay DEVICE/INDEX`: whether the recorded model still gives the recorded output. */
export const replay: Register = (program, { terminal, finish }) => {
  const command = program
    .command("replay")
    .summary("run a recorded input on the recorded model again, and compare")
    .description(
      "run a recorded input on the recorded model again and compare the outputs; takes what is kept in the device's folder, or a segment of the plane's registry",
    )
    .argument("<record>", "DEVICE/INDEX, or with --dir just INDEX")
    .option("--model-folder <dir>", "the model's files; left out, the device's own, or pulled by digest")
    .option("--tolerance <number>", "largest absolute or relative difference that counts as the same", tolerance, 0)
    .option("--identity <file>", "age identity of a recipient, where the segment is encrypted (repeatable)", collect)
    .option("--trust <file>", "the trust file, needed for a record of the plane; TALLY_TRUST");
  withJson(withPlane(withDeviceFolder(command))).action(async (what: string, flags: ReplayFlags) => {
    const { device, index } = /^\d{1,15}$/.test(what) ? { device: null, index: Number(what) } : recordOf(what);
    const temporary = await mkdtemp(join(tmpdir(), "tally-replay-"));
    try {
      const found = await findRecord(terminal, flags, device, index, temporary);
      if (found.kind === "gone") throw new CliError(exitCodes.notProven, found.why, { hint: found.hint });
      const given = flags.modelFolder;
      const folder =
        given === undefined
          ? await modelFolder(terminal, flags, found.record.load.manifest, temporary)
          : resolve(terminal.cwd, given);
      const replayed = await replayRecord(found.record, folder, flags.tolerance);
      print(terminal, flags.json, replayAsJson(found.record, replayed), () => replayLines(found.record, replayed));
      finish(replayed.verdict === "different" ? exitCodes.verificationFailed : exitCodes.good);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  });
};

function tolerance(text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number) && number >= 0) return number;
  throw usageError(`${text} is no tolerance`, "write a number such as 1e-6");
}
