import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { type FileEntry, ImageLayout, type Kitfile, listFiles, packModelKit, parseKitfile } from "@tally/oci";
import { describeFolder } from "../../describe-folder.ts";
import { withJson } from "../../options.ts";
import type { Register } from "../../register.ts";
import { counted, type ProgressMode, print, say, showingProgress, withProgressOption } from "../../terminal/index.ts";
import { signatureFile } from "./signature-file.ts";

interface Options {
  readonly output: string;
  readonly kitfile?: string;
  readonly tag: string;
  readonly progress: ProgressMode;
  readonly json?: boolean;
}

/** `tally model pack DIR -o LAYOUT`: a folder as a ModelKit. The same files give the same digest everywhere. */
export const pack: Register = (program, { terminal }) => {
  const command = program
    .command("pack")
    .description("pack a folder as a ModelKit into an OCI image layout; the same files give the same digest everywhere")
    .argument("<dir>", "the model's folder")
    .requiredOption("-o, --output <layout>", "folder of the image layout; made when there is none")
    .option("--kitfile <file>", "what is what; the default is DIR/Kitfile, or what the files' names say")
    .option("--tag <tag>", "its tag in the layout", "latest");
  withJson(withProgressOption(command)).action(async (folder: string, options: Options) => {
    const dir = resolve(terminal.cwd, folder);
    const files = await listFiles(dir, [signatureFile, ".git", ".gitattributes", ".github", ".gitignore"]);
    const given = options.kitfile === undefined ? undefined : resolve(terminal.cwd, options.kitfile);
    const kitfile = await kitfileOf(dir, files, given);
    const target = await ImageLayout.create(resolve(terminal.cwd, options.output));
    const { digest, layers } = await showingProgress(terminal, options.progress, "packing", (progress) =>
      packModelKit({ files, kitfile, target, tag: options.tag, ...(progress && { progress }) }),
    );
    const made = {
      manifest: digest,
      tag: options.tag,
      layers: layers.map(({ kind, descriptor }) => ({ kind, ...descriptor })),
    };
    print(terminal, options.json, made, () => [digest]);
    say(terminal, `packed ${counted(files.length, "file")} in ${counted(layers.length, "layer")}`);
  });
};

async function kitfileOf(dir: string, files: readonly FileEntry[], given: string | undefined): Promise<Kitfile> {
  if (given !== undefined) return parseKitfile(await readFile(given, "utf8"));
  const own = files.find(({ name }) => name === "Kitfile");
  if (own !== undefined) return parseKitfile(Buffer.concat(await Array.fromAsync(own.content())).toString("utf8"));
  return describeFolder(basename(dir), files);
}
