// One transfer by Tally's client in a process of its own: node transfer-process.ts push|pull LAYOUT URL REPOSITORY.

import { copyArtifact, ImageLayout, RegistryClient } from "@tally/oci";

const [direction, dir, url, repository] = process.argv.slice(2) as [string, string, string, string];
const registry = new RegistryClient({ url, repository });
if (direction === "push") await copyArtifact(await ImageLayout.open(dir), registry, "v1", { tag: "v1" });
else await copyArtifact(registry, await ImageLayout.create(dir), "v1", { tag: "v1" });
