import { foldQuarantines } from "@tally/evidence";
import { namesOf, signersWhoMay } from "../facts.ts";
import { fail, pass, type Rule } from "../rule.ts";

/** No quarantine of the model stands. Anyone who may put under quarantine may also lift what another put. */
export const notQuarantined: Rule = {
  name: "not-quarantined",
  check(facts) {
    const words = facts.quarantines.flatMap(({ from, said: word }) => {
      const by = signersWhoMay("quarantine", from, facts);
      return by.length === 0 ? [] : [{ statement: from.envelope, word, by }];
    });
    const states = foldQuarantines(words).filter(
      ({ what }) => what.kind === "model" && what.manifest === facts.request.manifest,
    );
    const standing = states.filter(({ lifted }) => lifted === null);
    if (standing.length === 0) {
      const inputs = states.flatMap(({ from, lifted }) => [from.statement, lifted!.statement]);
      return pass("no quarantine stands", inputs);
    }
    return fail(
      standing.map(({ from: { by, word } }) => `quarantined by ${namesOf(by)}: ${word.reason}`).join("; "),
      standing.map(({ from }) => from.statement),
    );
  },
};
