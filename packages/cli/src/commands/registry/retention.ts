import type { RetentionBody, RetentionList } from "@tally/evidence";
import { InvalidArgumentError } from "commander";
import { parseDuration, withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import { print, say, table } from "../../terminal/index.ts";

/** Seconds; null for ever. */
type Time = number | null;

const path = "/api/v1/registry/retention";

/** `tally registry retention`: repositories that are written once. */
export const retention: Register = (group, { terminal }) => {
  const parent = group.command("retention").description("repositories whose manifests and tags are written once");
  const set = parent
    .command("set")
    .summary("write repositories once from now on")
    .description(
      "write repositories once: a manifest is not deleted and a tag on it does not move for so long after its last push. A rule can be lengthened, never shortened or removed. Erasing a person's data stays possible",
    )
    .argument("<repository>", "a repository, or a pattern of them; * is any run of characters")
    .requiredOption("--for <duration>", "such as 90d, or forever", parseTime);
  withJson(withPlane(set)).action(async (repository: string, options: PlaneFlags & { readonly for: Time }) => {
    const { for: seconds, ...flags } = options;
    const body: RetentionBody = { repository, seconds };
    const rule = await (await connect(terminal, flags)).put<RetentionBody>(path, body);
    print(terminal, flags.json, rule, () => [rule.repository]);
    say(terminal, `written once, ${inWords(rule.seconds)}`);
  });
  const list = parent.command("list").description("the rules, and how long each keeps a manifest");
  withJson(withPlane(list)).action(async (flags: PlaneFlags) => {
    const { rules } = await (await connect(terminal, flags)).get<RetentionList>(path);
    print(terminal, flags.json, rules, () =>
      table(
        rules.map(({ repository, seconds, since }) => [
          repository,
          inWords(seconds),
          `since ${new Date(since).toISOString()}`,
        ]),
      ),
    );
    if (rules.length === 0) say(terminal, "no repository is written once");
  });
};

function parseTime(text: string): Time {
  if (text === "forever") return null;
  try {
    return parseDuration(text);
  } catch {
    throw new InvalidArgumentError("Write 12h, 90d or forever.");
  }
}

function inWords(seconds: Time): string {
  if (seconds === null) return "for ever";
  const [size, unit] = (
    [
      [86_400, "d"],
      [3600, "h"],
      [60, "m"],
    ] as const
  ).find(([size]) => seconds % size === 0) ?? [1, "s"];
  return `for ${seconds / size}${unit}`;
}
