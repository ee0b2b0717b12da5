import type { Model, ModelSignature } from "@tally/evidence";
import { signersWhoMay } from "../facts.ts";
import type { MeasuredFile } from "../request.ts";
import { fail, pass, type Rule } from "../rule.ts";

/** The model's files are exactly the signed ones, and at a device, what is going to run is among them. */
export const filesMatch: Rule = {
  name: "files-match",
  check(facts) {
    const { gate, files, manifest } = facts.request;
    for (const { from, said: model } of facts.models) {
      if (model.manifest !== manifest || signersWhoMay("sign-model", from, facts).length === 0) continue;
      const signature = facts.signatures.find((fact) => fact.from.envelope === model.signature);
      if (signature === undefined) continue;
      const inputs = [from.envelope, signature.from.envelope];
      const difference = signedDifference(model, signature.said);
      if (difference !== undefined) return fail(difference, inputs);
      if (gate !== "load") return pass(`all ${model.files.length} files are the signed ones`, inputs);
      const stray = measuredDifference(model, files ?? []);
      return stray === undefined
        ? pass(`${files?.length} measured files are signed ones`, inputs)
        : fail(stray, inputs);
    }
    return fail("there is no model statement with its model signature to compare files with");
  },
};

function signedDifference(model: Model, signature: ModelSignature): string | undefined {
  if (signature.method !== "files") {
    return "the model signature is over shards; sign whole files, so that they can be compared with what is loaded";
  }
  const signed = new Map(signature.resources.map((resource) => [resource.path, resource.digest]));
  for (const file of model.files) {
    const digest = signed.get(file.name);
    if (digest === undefined) return `${file.name} is not covered by the model signature`;
    if (digest !== file.digest) return `${file.name} is ${file.digest}, but ${digest} was signed`;
  }
  const named = new Set(model.files.map((file) => file.name));
  const missing = signature.resources.find((resource) => !named.has(resource.path));
  return missing && `${missing.path} was signed, but it is not among the model's files`;
}

function measuredDifference(model: Model, measured: readonly MeasuredFile[]): string | undefined {
  if (measured.length === 0) return "no file was measured";
  const sizes = new Map(model.files.map((file) => [file.digest, file.size]));
  const stray = measured.find((file) => sizes.get(file.digest) !== file.size);
  return stray && `a file of ${stray.size} bytes was measured as ${stray.digest}, which is not a signed file`;
}
