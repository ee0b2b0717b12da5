import {
  type Digest,
  isDigest,
  type ModelResponse,
  matchesRepository,
  parseDigest,
  type QuarantineItem,
  type QuarantineList,
} from "@tally/evidence";
import { type Descriptor, isContentDigest, type Listing, parseArtifactName, type ReferrerFilter } from "@tally/oci";
import { repositoryOf } from "../artifact.ts";
import { parseCount, withJson, withPlane } from "../options.ts";
import { connect, type PlaneClient, type PlaneFlags } from "../plane-client.ts";
import { timeOf } from "../question.ts";
import type { Register } from "../register.ts";
import { counted, printLine, say, type Terminal, usageError } from "../terminal/index.ts";

interface Options extends PlaneFlags {
  readonly model: string;
  readonly device?: string;
  readonly since?: string;
  readonly until?: string;
  readonly artifactType?: string;
  readonly limit?: number;
}

/** `tally data list`: what the registry says refers to a model, line by line as it comes. */
export const dataList: Register = (group, { terminal }) => {
  const command = group
    .command("list")
    .description(
      "list what the registry has of a model by its digest: segments of devices, signatures, attestations. It is the registry's word; nothing is verified",
    )
    .requiredOption("--model <ref>", "the model: sha256:…, repository:tag or repository@sha256:…")
    .option("--device <id>", "what says that it is of this device")
    .option("--since <time>", "what says that it reaches to this time or beyond, by its device's clock")
    .option("--until <time>", "what says that it begins before this time")
    .option("--artifact-type <type>", "what is of this type")
    .option("--limit <n>", "no more than this many", parseCount);
  withJson(withPlane(command)).action(async (options: Options) => {
    const filter: ReferrerFilter = {
      ...(options.artifactType !== undefined && { artifactType: options.artifactType }),
      ...(options.device !== undefined && { device: options.device }),
      ...(options.since !== undefined && { since: timeOf("--since", options.since) }),
      ...(options.until !== undefined && { until: timeOf("--until", options.until) }),
    };
    const client = await connect(terminal, options);
    const { repository, reference } = await placeOf(client, options.model);
    const source = repositoryOf(client, repository);
    const subject = isContentDigest(reference) ? reference : (await source.resolve(reference)).descriptor.digest;
    const onListing = (listing: Listing) => sayHow(terminal, listing);
    const quarantined = marksBy((await client.get<QuarantineList>("/api/v1/quarantines")).quarantines, repository);
    const lines = options.json === true ? jsonLines(terminal, quarantined) : textLines(terminal, quarantined);
    const { limit = Number.POSITIVE_INFINITY } = options;
    let count = 0;
    if (limit > 0) {
      const pageSize = Math.min(limit, 1_000);
      for await (const descriptor of source.referrers(subject, filter, { onListing, pageSize })) {
        lines.next(descriptor);
        count += 1;
        if (count === limit) break;
      }
    }
    lines.end();
    const more = count === limit ? "; there may be more" : "";
    say(terminal, `${counted(count, "artifact")} in ${repository} under ${subject}, as the registry says${more}`);
  });
};

/** A digest alone does not say where it lies; the plane's log does. */
async function placeOf(client: PlaneClient, text: string): Promise<{ repository: string; reference: string }> {
  if (/^sha256:/i.test(text) && !isDigest(text)) {
    throw usageError(`${text} is no digest`, "it is sha256: and 64 lower-case hex digits");
  }
  if (!isDigest(text)) return parseArtifactName(text);
  const { repository } = await client.get<ModelResponse>(`/api/v1/models/${parseDigest(text)}`);
  return { repository, reference: text };
}

function sayHow(terminal: Terminal, { way, sifted }: Listing): void {
  if (way === "tag") say(terminal, "the registry has no referrers API: read from the list under the referrers tag");
  if (sifted.length > 0)
    say(terminal, `the registry does not select by ${sifted.join(", ")}: it sends all, sifted here`);
}

/** Which quarantines a segment is under, or its device, as the plane says: which of a device's entries they are of, a list does not show. */
type Marks = (descriptor: Descriptor) => readonly Digest[];

function marksBy(items: readonly QuarantineItem[], repository: string): Marks {
  const standing = items.filter(({ repositories }) => repositories.some((own) => matchesRepository(own, repository)));
  return ({ digest, annotations = {} }) =>
    standing.flatMap(({ statement, what }) => {
      const device = annotations["tally.device"];
      const isUnder =
        what.kind === "segment"
          ? what.manifest === digest
          : what.kind === "device" && device !== undefined && what.origin.includes(`/d/${device}/`);
      return isUnder ? [statement] : [];
    });
}

interface Lines {
  next(descriptor: Descriptor): void;
  end(): void;
}

function textLines(terminal: Terminal, marks: Marks): Lines {
  return {
    next(descriptor) {
      const { digest, artifactType = "-", annotations = {} } = descriptor;
      const quarantined = marks(descriptor).map((statement) => `under quarantine ${statement}`);
      const { "tally.device": device = "-", "tally.time.from": from, "tally.time.to": to } = annotations;
      const time =
        from === undefined || to === undefined ? annotations["org.opencontainers.image.created"] : `${from}/${to}`;
      printLine(terminal, [digest, artifactType, device, time ?? "-", ...quarantined].join("  "));
    },
    end() {},
  };
}

/** One JSON array, written item by item. */
function jsonLines({ stdout }: Terminal, marks: Marks): Lines {
  let before = "[\n";
  return {
    next(descriptor) {
      const quarantined = marks(descriptor);
      stdout.write(`${before}  ${JSON.stringify({ ...descriptor, ...(quarantined.length > 0 && { quarantined }) })}`);
      before = ",\n";
    },
    end() {
      stdout.write(before === "[\n" ? "[]\n" : "\n]\n");
    },
  };
}
