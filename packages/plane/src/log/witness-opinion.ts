import { quorumMet, type WitnessPolicy } from "@tally/evidence";

/** What a witness said of one checkpoint that it was shown. */
export type Opinion =
  | { readonly kind: "agrees" }
  /** Its cosignature verifies and is of an earlier time than the question: replayed by someone, or a clock is wrong. */
  | { readonly kind: "stale"; readonly message: string }
  /** It holds more of the log than we do (409). */
  | { readonly kind: "larger"; readonly size: number; readonly message: string }
  /** It holds another tree of the log (422). */
  | { readonly kind: "other-root"; readonly message: string }
  /** No answer, or none that says anything about the log. */
  | { readonly kind: "silent"; readonly message: string };

/** By the policy's names for the witnesses; all that were asked are in it. */
export type Opinions = ReadonlyMap<string, Opinion>;

export function contradicts({ kind }: Opinion): boolean {
  return kind === "larger" || kind === "other-root";
}

/**
 * The witnesses that might have cosigned a checkpoint beyond ours without us knowing, when they were shown our newest one:
 * those that did not agree now. Every published checkpoint carries a quorum. So when these could not meet the quorum by
 * themselves, every quorum has a member that has just agreed to hold no more than we do, and nothing beyond ours was ever
 * published. Whoever the operator has set aside does not count.
 *
 * @returns their names when they could; undefined when they could not, and signing forks nothing.
 */
export function unaccounted(
  policy: WitnessPolicy,
  opinions: Opinions,
  ignored: ReadonlySet<string>,
): readonly string[] | undefined {
  const names = [...policy.witnesses.keys()].filter((name) => !ignored.has(name));
  // Without a quorum nothing says which checkpoints were published; a witness that knows better is believed.
  if (policy.quorum === "none") return contradicting(policy, opinions, ignored);
  const others = names.filter((name) => opinions.get(name)?.kind !== "agrees");
  return quorumMet(policy, new Set(others)) ? others : undefined;
}

/**
 * While the plane runs it holds everything that it has published, so a witness that is away hides nothing. One that names a
 * larger size, or another tree, may have it from a second plane with our keys: where such witnesses could meet the quorum by
 * themselves, that other plane can publish, and this one has to stop.
 */
export function contradicting(
  policy: WitnessPolicy,
  opinions: Opinions,
  ignored: ReadonlySet<string>,
): readonly string[] | undefined {
  const names = [...opinions].filter(([name, said]) => contradicts(said) && !ignored.has(name)).map(([name]) => name);
  if (names.length === 0) return undefined;
  return policy.quorum === "none" || quorumMet(policy, new Set(names)) ? names : undefined;
}

/** One line a witness: what it said. */
export function describeOpinions(names: readonly string[], opinions: Opinions): string {
  return names
    .map((name) => {
      const said = opinions.get(name);
      if (said === undefined) return `${name} was not asked`;
      return said.kind === "agrees" ? `${name} agrees` : `${name}: ${said.message}`;
    })
    .join("; ");
}
