import { type Model, parseRelease, releaseType, splitChannel } from "../statements/index.ts";
import type { Context } from "./context.ts";
import { namesOf } from "./model-statement.ts";
import type { Statements } from "./proven-statements.ts";

export interface ReleaseAnswer {
  readonly channel: string;
  readonly sequence: number;
  readonly by: readonly string[];
}

const name = "release";

/** Releases to channels of the model's own repository, by someone who may, none of them before the approval. */
export function verifyReleases(
  { manifest, repository }: Model,
  approvedAt: number | undefined,
  statements: Statements,
  { checklist }: Context,
): readonly ReleaseAnswer[] {
  const releases: ReleaseAnswer[] = [];
  for (const { from, said } of statements.said(statements.about(manifest), releaseType, parseRelease)) {
    const by = statements.signers(from, { action: "release", repository });
    if (by.length === 0 || splitChannel(said.channel).repository !== repository) continue;
    const which = `${said.channel} number ${said.sequence}`;
    if (approvedAt !== undefined && from.index < approvedAt) {
      checklist.bad(name, manifest, `${which} was released before it was approved`);
      continue;
    }
    checklist.good(name, manifest, `${which}, by ${namesOf(by)}`);
    const people = [...new Set(by.map((identity) => identity.name))];
    releases.push({ channel: said.channel, sequence: said.sequence, by: people });
  }
  if (releases.length === 0) {
    checklist.missing(name, manifest, `the bundle proves no release of it in ${repository} by someone who may`);
  }
  return releases;
}
