import type { QuotaBody, QuotaList } from "@tally/evidence";
import { InvalidArgumentError } from "commander";
import { parseCount, withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import { print, say, sizeWords, table, usageError } from "../../terminal/index.ts";

type Quota = QuotaList["quotas"][number];

interface Bounds extends PlaneFlags {
  readonly bytes?: number;
  readonly manifests?: number;
}

const path = "/api/v1/registry/quotas";

/** `tally registry quota`: what repositories may hold. */
export const quota: Register = (group, { terminal }) => {
  const parent = group.command("quota").description("what the repositories of a pattern may hold together");
  const set = parent
    .command("set")
    .summary("bound what repositories hold")
    .description(
      "bound what the repositories of a pattern hold together; a push beyond it is refused with the quota's name",
    )
    .argument("<repository>", "a repository, or a pattern of them; * is any run of characters")
    .option("--bytes <size>", "such as 500MB, 20GiB", parseBytes)
    .option("--manifests <number>", "how many manifests", parseCount);
  withJson(withPlane(set)).action(async (repository: string, { bytes, manifests, ...flags }: Bounds) => {
    if (bytes === undefined && manifests === undefined)
      throw usageError("a quota has a bound", "give --bytes, --manifests or both");
    const body: QuotaBody = { repository, bytes: bytes ?? null, manifests: manifests ?? null };
    const made = await (await connect(terminal, flags)).put<Quota>(path, body);
    print(terminal, flags.json, made, () => [made.repository]);
    say(terminal, inWords(made).join(", "));
  });
  const remove = parent
    .command("remove")
    .description("lift a quota")
    .argument("<repository>", "the pattern of the quota");
  withJson(withPlane(remove)).action(async (repository: string, flags: PlaneFlags) => {
    await (await connect(terminal, flags)).put(path, { repository } satisfies QuotaBody);
    print(terminal, flags.json, { removed: repository }, () => [repository]);
    say(terminal, "no longer bounded");
  });
  const list = parent.command("list").description("quotas, and what is taken of them");
  withJson(withPlane(list)).action(async (flags: PlaneFlags) => {
    const { quotas } = await (await connect(terminal, flags)).get<QuotaList>(path);
    print(terminal, flags.json, quotas, () => table(quotas.map((one) => [one.repository, ...inWords(one)])));
    if (quotas.length === 0) say(terminal, "nothing is bounded");
  });
};

function inWords({ bytes, manifests, usedBytes, usedManifests }: Quota): string[] {
  return [
    `${sizeWords(usedBytes)} of ${bytes === null ? "any size" : sizeWords(bytes)}`,
    `${usedManifests} of ${manifests ?? "any number of"} manifests`,
  ];
}

const units: Readonly<Record<string, number>> = {
  "": 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

function parseBytes(text: string): number {
  const [, count, unit = ""] = /^(\d{1,9})([kKMGT]i?B)?$/.exec(text) ?? [];
  const size = units[unit];
  if (count === undefined || size === undefined) throw new InvalidArgumentError("Write 1000, 500MB or 20GiB.");
  return Number(count) * size;
}
