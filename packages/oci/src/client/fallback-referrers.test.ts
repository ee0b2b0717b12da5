import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { type TestContext, test } from "node:test";
import type { Descriptor } from "../artifact/descriptor.ts";
import { describe } from "../artifact/descriptor.ts";
import { encodeImageManifest } from "../artifact/manifest.ts";
import { type LoopbackRegistry, loopbackRegistry } from "../testing/loopback-registry.ts";
import { addFallbackReferrer, fallbackReferrers } from "./fallback-referrers.ts";
import { RegistryClient } from "./registry-client.ts";

const subject = describe("application/vnd.oci.image.manifest.v1+json", new TextEncoder().encode("a subject"));
const config = describe("application/json", new TextEncoder().encode("{}"));

const clientOf = ({ url }: LoopbackRegistry) => new RegistryClient({ url, repository: "m" });

/** Manifests to be listed, at the registry: an index may list only what is there. */
async function pushed(client: RegistryClient, count: number): Promise<Descriptor[]> {
  await client.pushBlob(config, new TextEncoder().encode("{}"));
  const descriptors: Descriptor[] = [];
  for (let n = 0; n < count; n += 1) {
    const { bytes, descriptor } = encodeImageManifest({ config, layers: [], annotations: { n: String(n) } });
    await client.pushManifest(bytes, descriptor.mediaType);
    descriptors.push(descriptor);
  }
  return descriptors;
}

async function listed(registry: LoopbackRegistry): Promise<string[]> {
  const found = await fallbackReferrers(clientOf(registry), subject.digest);
  return (found ?? []).map(({ digest }) => digest).sort();
}

/** A registry of the time before referrers: it does not say that it keeps a subject. */
function oldRegistry(t: TestContext): Promise<LoopbackRegistry> {
  return loopbackRegistry(t, {
    intercept: (_req, res) => {
      type WriteHead = (status: number, headers?: Record<string, unknown>) => ServerResponse;
      const writeHead = res.writeHead.bind(res) as WriteHead;
      const without: WriteHead = (status, { "OCI-Subject": _, ...headers } = {}) => writeHead(status, headers);
      res.writeHead = without as typeof res.writeHead;
      return false;
    },
  });
}

test("clients of one process that attach to one subject at once take turns, and each writes the list once", async (t) => {
  const registry = await oldRegistry(t);
  await clientOf(registry).pushBlob(config, new TextEncoder().encode("{}"));
  const attached = await Promise.all(
    Array.from({ length: 4 }, async (_, n) => {
      const parts = { config, layers: [], subject, annotations: { n: String(n) } };
      const { bytes, descriptor } = encodeImageManifest(parts);
      return (await clientOf(registry).pushManifest(bytes, descriptor.mediaType)).digest;
    }),
  );
  assert.deepEqual(await listed(registry), attached.sort());
  assert.equal(registry.requests.filter((request) => request.startsWith("PUT /v2/m/manifests/sha256-")).length, 4);
});

test("an entry that another client's writing took away again is put back", async (t) => {
  const registry = await loopbackRegistry(t);
  const [mine, theirs] = await pushed(clientOf(registry), 2);
  const client = clientOf(registry);
  let writes = 0;
  const raced = {
    resolve: (tag: string) => client.resolve(tag),
    pushManifest: async (bytes: Uint8Array, mediaType: string, tag?: string) => {
      const answer = await client.pushManifest(bytes, mediaType, tag);
      writes += 1;
      // They had read the list while it was empty.
      if (writes === 1) await overwrite(client, theirs!, tag!);
      return answer;
    },
  };
  await addFallbackReferrer(raced, subject.digest, mine!);
  assert.equal(writes, 2);
  assert.deepEqual(await listed(registry), [mine!.digest, theirs!.digest].sort());
});

async function overwrite(client: RegistryClient, entry: Descriptor, tag: string): Promise<void> {
  const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [entry] };
  await client.pushManifest(new TextEncoder().encode(JSON.stringify(index)), index.mediaType, tag);
}
