import { everySignerOf, namesOf, signersWhoMay } from "../facts.ts";
import { fail, pass, type Rule } from "../rule.ts";

/** Someone who may sign models has said what the manifest is, and has signed its files (OpenSSF Model Signing). */
export const modelSigned: Rule = {
  name: "model-signed",
  check(facts) {
    const { manifest, repository } = facts.request;
    const models = facts.models.filter(({ said }) => said.manifest === manifest && said.repository === repository);
    if (models.length === 0) {
      return fail(`no statement of a known signer says that ${manifest} is a model of ${repository}`);
    }
    const known = models.filter(({ from }) => signersWhoMay("sign-model", from, facts).length > 0);
    if (known.length === 0) {
      const who = namesOf(models.flatMap(({ from }) => everySignerOf(from)));
      return fail(
        `${who} may not sign models of ${repository}`,
        models.map(({ from }) => from.envelope),
      );
    }
    for (const model of known) {
      const signature = facts.signatures.find(({ from }) => from.envelope === model.said.signature);
      if (signature === undefined) continue;
      const signers = signersWhoMay("sign-model", signature.from, facts);
      const inputs = [model.from.envelope, signature.from.envelope];
      if (signers.length > 0) return pass(`signed by ${namesOf(signers)}`, inputs);
    }
    return fail(
      `the model signature that the model statement names is not here, or nobody who may sign models has signed it`,
      known.map(({ from }) => from.envelope),
    );
  },
};
