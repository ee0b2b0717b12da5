import type { DeviceCore } from "../device-core.ts";
import { EdgeError } from "../error.ts";
import { subjectRecordingsSettled } from "../recorder/record-output.ts";
import { recordAt, recordsOfSubject } from "./find-records.ts";
import { type ErasurePlan, ErasurePlans } from "./plan.ts";

/** Whose contents go: all that is recorded of a subject, or one record. */
export type ErasureRequest = { readonly subject: string } | { readonly record: number };

/**
 * Destroys the keys of records and what was kept of their contents here, durably, before it resolves. What others hold of
 * them, as the plane's registry does, is the next syncs' work.
 *
 * @throws EdgeError `request-invalid` where nothing is recorded of the subject, or there is no such record
 */
export async function destroyContents(core: DeviceCore, request: ErasureRequest): Promise<ErasurePlan> {
  const { salts, ledger, folder } = core;
  const plans = new ErasurePlans(folder.state);
  const subject = "subject" in request ? salts.subjectNumber(request.subject) : null;
  if (subject === undefined) {
    throw new EdgeError("request-invalid", "nothing is recorded of this subject, or it was erased already", {
      hint: "the id is compared as it was given with the records, letter by letter",
    });
  }
  // What is on its way was asked for before; what comes later gets another key.
  if ("subject" in request) salts.retire(request.subject);
  await subjectRecordingsSettled(core);
  await ledger.flush();
  const found =
    "record" in request ? await recordAt(core, request.record) : await recordsOfSubject(core, subject as number);
  if (found.records.length === 0) {
    // A key that no record has: it was made for one that was never written.
    await salts.destroySubject(subject as number);
    throw new EdgeError("request-invalid", "nothing is recorded of this subject");
  }
  const { origin } = ledger;
  return carryOut(core, plans, await plans.begin({ origin, subject, ...found }));
}

/** Goes on with what a stop has interrupted. Called before anything is recorded. */
export async function resumeDestroying(
  core: Pick<DeviceCore, "salts" | "payloads" | "repeats" | "folder">,
): Promise<void> {
  const plans = new ErasurePlans(core.folder.state);
  for (const plan of await plans.all()) if (plan.step === "destroy") await carryOut(core, plans, plan);
}

async function carryOut(
  { salts, payloads, repeats }: Pick<DeviceCore, "salts" | "payloads" | "repeats">,
  plans: ErasurePlans,
  plan: ErasurePlan,
): Promise<ErasurePlan> {
  if (plan.subject !== null) await salts.destroySubject(plan.subject);
  await salts.erase(plan.slots);
  await payloads.erase(new Set(plan.records.map(({ index }) => index)));
  // Which digests were of these records nobody knows: all are forgotten.
  await repeats.forget();
  return plans.keep({ ...plan, step: "replace", slots: [] });
}
