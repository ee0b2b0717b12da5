import { createWriteStream } from "node:fs";
import { lstat, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { CarrierWriter, packCarrier } from "@tally/oci";
import { type ExportedModel, exportModel } from "../carry/export-model.ts";
import { withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import type { Register } from "../register.ts";
import { counted, print, say, usageError } from "../terminal/index.ts";

interface Options extends PlaneFlags {
  readonly output: string;
  readonly segments?: boolean;
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
    .option("--segments", "segments with the models' records as well, and what proves each record: people's data");
  withJson(withPlane(command)).action(async (refs: readonly string[], options: Options) => {
    const output = resolve(terminal.cwd, options.output);
    if (await lstat(output).catch(() => undefined)) throw usageError(`${output} is there already`, "name another one");
    const client = await connect(terminal, options);
    await mkdir(dirname(output), { recursive: true });
    const temporary = await mkdtemp(join(dirname(output), ".exporting-"));
    try {
      const layout = join(temporary, "layout");
      const writer = await CarrierWriter.create(layout);
      const models: ExportedModel[] = [];
      for (const ref of refs) {
        const parts = { client, writer, ref, segments: options.segments === true, now: Date.now() };
        models.push(await exportModel({ ...parts, temporary: join(temporary, "evidence") }));
      }
      const { blobs, bytes } = await writer.finish();
      if (output.endsWith(".tar")) {
        const tar = join(temporary, "layout.tar");
        await pipeline(packCarrier(layout), createWriteStream(tar, { flush: true }));
        await rename(tar, output);
      } else await rename(layout, output);
      print(terminal, options.json, { output, models, blobs, bytes }, () => models.map(lineOf));
      say(terminal, `${counted(models.length, "model")} in ${output}: ${counted(blobs, "blob")}, ${bytes} bytes`);
      for (const { gone } of models) {
        if (gone.length > 0)
          say(terminal, `${counted(gone.length, "segment")} left out: contents are gone, as after an erasure`);
      }
      say(terminal, "the trust file does not travel with it: who imports has it from you by another way");
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  });
};

function lineOf({ manifest, repository, tag, attached, segments }: ExportedModel): string {
  const name = tag === null ? repository : `${repository}:${tag}`;
  return [
    manifest,
    name,
    `${attached} attached`,
    ...(segments.length > 0 ? [counted(segments.length, "segment")] : []),
  ].join("  ");
}
