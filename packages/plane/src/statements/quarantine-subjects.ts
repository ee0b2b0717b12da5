import {
  describeQuarantined,
  modelType,
  parseEnvelope,
  parseQuarantine,
  type Quarantined,
  quarantineType,
  type Statement,
  subjectDigests,
} from "@tally/evidence";
import type { Database } from "@tally/oci";
import { PlaneError } from "../error.ts";
import type { StatementSource } from "./model-statements.ts";

/**
 * That a quarantine is of something known here, and a lifting of a quarantine that stands in the log: a slip of the pen would
 * otherwise keep nothing out, and say so nowhere.
 *
 * @throws PlaneError `not-found`, `bad-request`
 */
export async function requireQuarantinable(statement: Statement, source: StatementSource, db: Database): Promise<void> {
  const word = parseQuarantine(statement);
  if (word.decision === "quarantine") return requireKnown(word.what, source, db);
  const row = await source.row(word.lifts);
  if (row?.predicateType !== quarantineType) {
    throw new PlaneError("not-found", `the plane's log has no quarantine ${word.lifts}`, {
      hint: "see: tally quarantine list",
    });
  }
  const lifted = parseEnvelope(await source.envelope(word.lifts)).statement;
  const same = new Set(subjectDigests(lifted));
  const own = subjectDigests(statement);
  if (
    parseQuarantine(lifted).decision === "lift" ||
    own.length !== same.size ||
    !own.every((digest) => same.has(digest))
  ) {
    throw new PlaneError("bad-request", `${word.lifts} is no quarantine of what this lifting is about`);
  }
}

async function requireKnown(what: Quarantined, source: StatementSource, db: Database): Promise<void> {
  const unknown = (why: string, hint: string) =>
    new PlaneError("not-found", `${describeQuarantined(what)} cannot be put under quarantine: ${why}`, { hint });
  switch (what.kind) {
    case "device": {
      const [device] = await db.query<{ genesis: string }>("SELECT genesis FROM device WHERE origin = ?", [
        what.origin,
      ]);
      if (device?.genesis === what.genesis) return;
      throw unknown(
        device === undefined ? "it is not enrolled here" : "its first entry is another",
        "see: tally device status",
      );
    }
    case "segment": {
      const found = await db.query(
        "SELECT 1 AS found FROM segment WHERE origin = ? AND artifact = ? AND from_idx = ? AND to_idx = ?",
        [what.origin, what.manifest, what.from, what.to],
      );
      if (found.length > 0) return;
      throw unknown("no ledger that arrived here names it so", "see: tally data list");
    }
    case "model":
      if ((await source.about(what.manifest)).some(({ predicateType }) => predicateType === modelType)) return;
      throw unknown("no statement says that it is a model", "give the digest of its manifest");
    case "dataset":
      // Data may come from anywhere, and be known here only by a training that is yet to be stated.
      return;
  }
}
