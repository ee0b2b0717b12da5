import { resolve } from "node:path";
import { withJson } from "../../options.ts";
import type { Register } from "../../register.ts";
import { counted, print, say } from "../../terminal/index.ts";

/** `tally plane load FOLDER REPOSITORY LAYOUT`: many artifacts into the registry at once, without pushing them. */
export const load: Register = (group, { terminal }) => {
  const command = group
    .command("load")
    .summary("store an image layout in a plane's registry, however many manifests it has")
    .description(
      "store the images of an image layout (of oras, skopeo, zot or `tally export`) in the registry of a plane that does not run: configs and layers, all manifests or none, and tags that the repository does not have. May be stopped and run again",
    )
    .argument("<folder>", "the plane's folder")
    .argument("<repository>", "where to, such as models/tumour")
    .argument("<layout>", "a folder with an image layout");
  withJson(command).action(async (folder: string, repository: string, layout: string, options: { json?: boolean }) => {
    const { loadRegistry } = await import("@tally/plane");
    const [dir, from] = [resolve(terminal.cwd, folder), resolve(terminal.cwd, layout)];
    const report = await loadRegistry({ dir, repository, layout: from });
    const { manifests, blobs, tags, keptTags } = report;
    print(terminal, options.json, report, () => [
      `${repository}: ${counted(manifests, "manifest")}, ${counted(blobs, "new blob")}, ${counted(tags, "tag")}`,
    ]);
    for (const tag of keptTags) say(terminal, `the tag ${tag} is taken by something else, and stays there`);
  });
};
