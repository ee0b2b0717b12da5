// Unpacks a model in a process of its own, to be killed by tests: `node pull-process.ts URL REPOSITORY REFERENCE INTO`.

import { RegistryClient } from "../client/index.ts";
import { unpackModelKit } from "../modelkit/index.ts";

const [url, repository, reference, into] = process.argv.slice(2) as [string, string, string, string];
await unpackModelKit({ source: new RegistryClient({ url, repository }), reference, into });
