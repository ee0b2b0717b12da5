import { fail, pass, type Rule } from "../rule.ts";

/** A known signer's statement that cannot be read might be the rejection that would decide: nothing goes on without it. */
export const statementsReadable: Rule = {
  name: "statements-readable",
  check({ unreadable, request }) {
    const [first] = unreadable;
    if (first === undefined) return pass("every statement of a known signer can be read", []);
    return fail(
      `the statement ${first.from.envelope} about ${request.manifest} cannot be read: ${first.why}`,
      unreadable.map(({ from }) => from.envelope),
    );
  },
};
