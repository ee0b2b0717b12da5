import { createWriteStream } from "node:fs";
import { lstat, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { CarrierWriter, packCarrier } from "@tally/oci";
import { CarriedNames } from "../carry/carried-names.ts";
import { exportInventory } from "../carry/export-inventory.ts";
import { type ExportedModel, exportModel } from "../carry/export-model.ts";
import { nextInSeries, rememberInSeries } from "../carry/series.ts";
import { type KeyFlags, readSigningKey, withPassphrase } from "../keys/index.ts";
import { withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import type { Register } from "../register.ts";
import { counted, print, say, usageError } from "../terminal/index.ts";

interface Options extends PlaneFlags, Partial<KeyFlags> {
  readonly output: string;
  readonly segments?: boolean;
  readonly series?: string;
}

/** `tally export REF… -o OUT`: models with their evidence in one image layout, for a machine without a network. */
export const exportCommand: Register = (program, { terminal }) => {
  const command = program
    .command("export")
    .summary("put models with their evidence into one folder or tar")
    .description(
      "write models, what is attached to them and the plane's evidence about them into one OCI image layout; `tally import` verifies it anywhere",
    )
    .argument("<ref...>", "repository:tag or repository@sha256:…")
    .requiredOption("-o, --output <path>", "a folder that is not there yet, or a file that ends in .tar")
    .option("--segments", "segments with the models' records as well, and what proves each record: people's data")
    .option(
      "--key <key>",
      "private key of who exports: signs the list of all that is in it, so that nothing is taken out",
    )
    .option("--series <file>", "numbers the exports to one receiver, so that none goes missing; made at the first one");
  withJson(withPlane(withPassphrase(command))).action(async (refs: readonly string[], options: Options) => {
    const output = resolve(terminal.cwd, options.output);
    if (await lstat(output).catch(() => undefined)) throw usageError(`${output} is there already`, "name another one");
    const series = options.series && resolve(terminal.cwd, options.series);
    if (series && options.key === undefined)
      throw usageError("a number that nobody signed counts for nothing", "give --key with --series");
    await using key =
      options.key === undefined ? undefined : await readSigningKey(terminal, { ...options, key: options.key });
    const delivery = series ? await nextInSeries(series) : undefined;
    const client = await connect(terminal, options);
    await mkdir(dirname(output), { recursive: true });
    const temporary = await mkdtemp(join(dirname(output), ".exporting-"));
    try {
      const layout = join(temporary, "layout");
      const writer = await CarrierWriter.create(layout);
      const parts = { client, writer, names: new CarriedNames(), segments: options.segments === true, now: Date.now() };
      const models: ExportedModel[] = [];
      for (const ref of refs) {
        models.push(await exportModel({ ...parts, ref, temporary: join(temporary, "evidence") }));
      }
      const inventory = key && (await exportInventory({ ...parts, key, refs, models, delivery }));
      const { blobs, bytes } = await writer.finish();
      const made = output.endsWith(".tar") ? join(temporary, "layout.tar") : layout;
      if (made !== layout) await pipeline(packCarrier(layout), createWriteStream(made, { flush: true }));
      if (series && delivery && inventory) await rememberInSeries(series, delivery, inventory);
      await rename(made, output);
      const result = { output, models, blobs, bytes, inventory: inventory ?? null, delivery: delivery ?? null };
      print(terminal, options.json, result, () => models.map(lineOf));
      say(terminal, `${counted(models.length, "model")} in ${output}: ${counted(blobs, "blob")}, ${bytes} bytes`);
      for (const { gone, missing } of models) {
        if (gone.length > 0)
          say(terminal, `${counted(gone.length, "segment")} left out: contents are gone, as after an erasure`);
        for (const { what, name, reason } of missing)
          if (what === "base")
            say(terminal, `left out its base ${name}: ${reason}; without it nobody can unpack the model`);
      }
      if (inventory !== undefined) {
        const number = delivery === undefined ? "" : `, number ${delivery.number} of series ${delivery.series}`;
        say(terminal, `inventory ${inventory}${number}`);
      }
      say(terminal, "the trust file does not travel with it: who imports has it from you by another way");
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  });
};

function lineOf({ manifest, repository, tag, attached, bases, segments }: ExportedModel): string {
  const name = tag === null ? repository : `${repository}:${tag}`;
  return [
    manifest,
    name,
    `${attached} attached`,
    ...bases.map(({ name, manifest: base }) => `base ${name}${base === null ? " left out" : ""}`),
    ...(segments.length > 0 ? [counted(segments.length, "segment")] : []),
  ].join("  ");
}
