import assert from "node:assert/strict";
import { chmod, mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { utf8 } from "@tally/evidence";
import { RegistryClient } from "../client/index.ts";
import { memoryFile } from "../tar/index.ts";
import { loopbackRegistry, temporaryFolder } from "../testing/loopback-registry.ts";
import { packModelKit, unpackModelKit } from "./index.ts";

test("attack: another user has put a link, or a folder that they write to, where a model is to gather", async (t) => {
  const { url } = await loopbackRegistry(t);
  const source = new RegistryClient({ url, repository: "m" });
  const kitfile = { manifestVersion: "1.0.0", model: { path: "model.onnx" } };
  await packModelKit({ files: [memoryFile("model.onnx", utf8("weights"))], kitfile, target: source, tag: "v1" });
  const shared = await temporaryFolder(t);
  const [into, part, theirs] = [join(shared, "m"), join(shared, ".m.part"), join(shared, "theirs")];
  await mkdir(theirs);
  await symlink(theirs, part);
  await assert.rejects(unpackModelKit({ source, reference: "v1", into }), {
    code: "refused",
    message: /others may write/,
  });
  assert.deepEqual(await readdir(theirs), []);
  const open = join(shared, ".open.part");
  await mkdir(open);
  await chmod(open, 0o777);
  const refused = unpackModelKit({ source, reference: "v1", into: join(shared, "open") });
  await assert.rejects(refused, { code: "refused" });
  assert.deepEqual(await readdir(open), []);
});
