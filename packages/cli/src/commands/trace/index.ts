import { exitCodeOf, type LineageResponse, parseDigest, verifyBundle } from "@tally/evidence";
import { modelNamed } from "../../artifact.ts";
import { withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import { recordOf, requireAnswerTo } from "../../record-place.ts";
import type { Register } from "../../register.ts";
import { reportAsJson } from "../../report-json.ts";
import { print, say, usageError } from "../../terminal/index.ts";
import { readTrustFile, trusting } from "../../trust-file.ts";
import { lineageLines } from "./lineage-lines.ts";
import { recordLines } from "./record-lines.ts";

/** `tally trace DEVICE/INDEX`: one record, proven back to its data. `tally trace DIGEST`: what an artifact was made from. */
export const trace: Register = (program, { terminal, finish }) => {
  const command = program
    .command("trace")
    .summary("follow a record or an artifact back to where it comes from")
    .description("follow one record, or one artifact, back to where it comes from")
    .argument(
      "<what>",
      "DEVICE/INDEX of a record, which is verified; or the digest of a model, file or dataset; or repository:tag of a model",
    )
    .option("--trust <file>", "the trust file, needed for a record; TALLY_TRUST");
  withJson(withPlane(command)).action(async (what: string, flags: PlaneFlags) => {
    if (/[:@]/.test(what)) {
      const client = await connect(terminal, flags);
      const digest = what.startsWith("sha256:") ? parseDigest(what) : await modelNamed(terminal, client, what);
      const lineage = await client.get<LineageResponse>(`/api/v1/lineage/${digest}`);
      if (
        lineage.edges.length === 0 &&
        lineage.nodes.every(({ kind, name }) => kind === "artifact" && name === undefined)
      ) {
        throw usageError(
          `no statement in the plane's log names ${digest}`,
          "give the digest of a model's manifest, or of one of its files or datasets",
        );
      }
      print(terminal, flags.json, lineage, () => lineageLines(lineage));
      say(terminal, "as the plane says, from signed statements; an audit of the model proves it");
      return;
    }
    const { device, index } = recordOf(what);
    const trust = await readTrustFile(terminal, flags);
    const bundle = await (await connect(terminal, flags)).bytes(`/api/v1/receipts/${device}/${index}`);
    const report = await verifyBundle({ bundle, ...(await trusting(trust)), now: Date.now() });
    requireAnswerTo(report.question, device, index);
    print(terminal, flags.json, reportAsJson(report), () => recordLines(report));
    finish(exitCodeOf(report));
  });
};
