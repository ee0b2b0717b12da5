import { splitChannel } from "@tally/evidence";
import { everySignerOf, namesOf, signersWhoMay } from "../facts.ts";
import { fail, pass, type Rule } from "../rule.ts";

/** Someone who may release has released it to the channel asked for, or to any of the repository where none is. */
export const released: Rule = {
  name: "released",
  check(facts) {
    const { repository, channel } = facts.request;
    const where = channel ?? `a channel of ${repository}`;
    const releases = facts.releases.filter(
      ({ said }) =>
        splitChannel(said.channel).repository === repository && (channel === undefined || said.channel === channel),
    );
    if (releases.length === 0) return fail(`nobody of the trust file has released it to ${where}`);
    for (const { from, said } of releases) {
      const signers = signersWhoMay("release", from, facts);
      if (signers.length > 0) {
        return pass(`released to ${said.channel} as number ${said.sequence} by ${namesOf(signers)}`, [from.envelope]);
      }
    }
    const who = namesOf(releases.flatMap(({ from }) => everySignerOf(from)));
    return fail(
      `${who} may not release models of ${repository}`,
      releases.map(({ from }) => from.envelope),
    );
  },
};
