import assert from "node:assert/strict";
import { test } from "node:test";
import type { Digest } from "@tally/evidence";
import fc from "fast-check";
import type { Descriptor } from "../../artifact/descriptor.ts";
import { parseManifest, partsOf } from "../../artifact/manifest.ts";
import type { ByteSource } from "../../storage/blob-store.ts";
import { type ContentDigest, contentDigestOf } from "../../storage/content-digest.ts";
import { FileBlobStore } from "../../storage/file-blob-store.ts";
import { loopbackRegistry, temporaryFolder } from "../../testing/loopback-registry.ts";
import { Pusher, utf8 } from "../../testing/pushes.ts";

const day = 86_400_000;
const repositories = ["a", "b"] as const;
const tags = ["v1", "v2", "v3"] as const;

const repository = fc.constantFrom(...repositories);
const step = fc.oneof(
  fc.record({ kind: fc.constant("blob" as const), repository, text: fc.nat(6) }),
  fc.record({
    kind: fc.constant("image" as const),
    repository,
    text: fc.nat(6),
    tag: fc.option(fc.constantFrom(...tags)),
  }),
  fc.record({ kind: fc.constant("referrer" as const), repository, text: fc.nat(6), subject: fc.nat(20) }),
  fc.record({
    kind: fc.constant("index" as const),
    repository,
    of: fc.nat(20),
    tag: fc.option(fc.constantFrom(...tags)),
  }),
  fc.record({ kind: fc.constant("tag" as const), repository, of: fc.nat(20), tag: fc.constantFrom(...tags) }),
  fc.record({ kind: fc.constant("mount" as const), repository, text: fc.nat(6) }),
  fc.record({ kind: fc.constant("untag" as const), repository, tag: fc.constantFrom(...tags) }),
  fc.record({ kind: fc.constant("delete" as const), repository, of: fc.nat(20) }),
  fc.record({ kind: fc.constant("name" as const), of: fc.nat(20) }),
  fc.record({ kind: fc.constant("days" as const), days: fc.constantFrom(0, 1, 2) }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

interface Made {
  readonly repository: string;
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

test("pushes, deletions and collections in any order: all that tags and evidence lead to stays whole, and only that", async (t) => {
  const clock = { time: Date.now(), now: () => clock.time };
  const named = new Set<ContentDigest>();
  /** Where it was when it came to be named: the same bytes may have been deleted from another repository. */
  const namedAt = new Set<string>();
  // Nothing comes to be named while a step is taken that has looked at what is.
  let last: Promise<unknown> = Promise.resolve();
  const alone = <T>(step: () => Promise<T>): Promise<T> => {
    const done = last.then(step);
    last = done.catch(() => {});
    return done;
  };
  /** A disk on which files are as old as the clock of the test says. */
  class ClockedStore extends FileBlobStore {
    readonly #at = new Map<string, number>();
    override async put<D extends ContentDigest = Digest>(digest: D | null, source: ByteSource) {
      if (digest !== null) this.#at.set(digest, clock.now());
      return super.put(digest, source);
    }
    override async has(digest: ContentDigest) {
      const found = await super.has(digest);
      return found && { ...found, storedAt: this.#at.get(digest) ?? clock.now() };
    }
  }
  const blobs = new ClockedStore(await temporaryFolder(t));
  const server = await loopbackRegistry(t, {
    clock,
    blobs,
    evidence: {
      read: () => ({
        all: async function* () {
          for (const digest of named) yield { digest, because: "a statement names it" };
        },
        since: async function* (digests) {
          for (const digest of digests) if (named.has(digest)) yield { digest, because: "a statement names it" };
        },
        alone,
      }),
    },
  });
  const client = new Pusher(server.url);

  async function play(one: Step, made: Made[]): Promise<void> {
    const known = (n: number) => made[n % Math.max(1, made.length)];
    const keep = (repository: string, pushed: { descriptor: Descriptor; bytes: Uint8Array; response: Response }) => {
      assert.equal(pushed.response.status, 201);
      made.push({ repository, descriptor: pushed.descriptor, bytes: pushed.bytes });
    };
    switch (one.kind) {
      case "blob":
        await client.blob(one.repository, utf8(`content ${one.text}`));
        return;
      case "image": {
        const image = await client.image(
          one.repository,
          `content ${one.text}`,
          one.tag === null ? {} : { tag: one.tag },
        );
        return keep(one.repository, image);
      }
      case "referrer": {
        const subject = known(one.subject);
        if (subject === undefined) return;
        const text = `content ${one.text}`;
        return keep(subject.repository, await client.image(subject.repository, text, { subject: subject.descriptor }));
      }
      case "index": {
        const listed = known(one.of);
        if (listed === undefined) return;
        const index = await client.index(listed.repository, [listed.descriptor], one.tag ?? undefined);
        // What it lists may have been collected: then it is refused as a whole.
        if (index.response.status === 404) return;
        return keep(listed.repository, index);
      }
      case "tag": {
        const target = known(one.of);
        if (target === undefined) return;
        const put = client.manifest(target.repository, one.tag, target.bytes, target.descriptor.mediaType);
        assert.ok([201, 404].includes((await put).status));
        return;
      }
      case "mount": {
        const from = repositories.find((name) => name !== one.repository)!;
        await client.mount(one.repository, contentDigestOf(utf8(`content ${one.text}`)), from);
        return;
      }
      case "untag":
        await client.status("DELETE", `${one.repository}/manifests/${one.tag}`);
        return;
      case "delete": {
        const target = known(one.of);
        if (target !== undefined && !named.has(target.descriptor.digest))
          await client.status("DELETE", `${target.repository}/manifests/${target.descriptor.digest}`);
        return;
      }
      case "name": {
        const target = known(one.of);
        if (target === undefined) return;
        const { repository, descriptor } = target;
        await alone(async () => {
          if (!(await client.has(repository, descriptor.digest))) return;
          named.add(descriptor.digest);
          namedAt.add(`${repository} ${descriptor.digest}`);
        });
        return;
      }
      case "days":
        clock.time += one.days * day;
    }
  }

  /** Everything that tags and evidence lead to, by walking the registry as a client; each of it must be there. */
  async function requireWhole(made: readonly Made[]): Promise<Set<string>> {
    const reached = new Set<string>();
    const walk = async (repository: string, reference: string): Promise<void> => {
      const response = await client.request("GET", `${repository}/manifests/${reference}`);
      assert.equal(response.status, 200, `${repository} lost ${reference}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      const digest = contentDigestOf(bytes);
      if (reached.has(`${repository} ${digest}`)) return;
      reached.add(`${repository} ${digest}`);
      const manifest = parseManifest(bytes, response.headers.get("content-type")!);
      for (const part of partsOf(manifest)) {
        if (manifest.kind === "index") await walk(repository, part.digest);
        else {
          const blob = await client.request("GET", `${repository}/blobs/${part.digest}`);
          assert.equal(contentDigestOf(new Uint8Array(await blob.arrayBuffer())), part.digest);
          reached.add(`${repository} ${part.digest}`);
        }
      }
      const subject = manifest.subject;
      if (subject !== undefined && (await client.has(repository, subject.digest)))
        await walk(repository, subject.digest);
      const answer = await client.request("GET", `${repository}/referrers/${digest}`);
      for (const { digest } of ((await answer.json()) as { manifests: Descriptor[] }).manifests)
        await walk(repository, digest);
    };
    for (const repository of repositories) {
      const answer = await client.request("GET", `${repository}/tags/list`);
      if (answer.status === 200)
        for (const tag of ((await answer.json()) as { tags: string[] }).tags) await walk(repository, tag);
    }
    for (const { repository, descriptor } of made)
      if (namedAt.has(`${repository} ${descriptor.digest}`)) await walk(repository, descriptor.digest);
    return reached;
  }

  const plays = fc.array(step, { minLength: 5, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(plays, fc.array(fc.nat(6), { maxLength: 8 }), async (steps, beats) => {
      const made: Made[] = [];
      const collections = (async () => {
        for (const beat of [...beats, 0]) {
          let n = 0;
          for await (const _ of server.registry.collect({ untagged: true, explain: beat % 2 === 0 })) {
            // Some are left in the middle.
            if (beat > 3 && ++n > beat) break;
            await new Promise(setImmediate);
          }
        }
      })();
      try {
        for (const one of steps) await play(one, made);
      } finally {
        await collections;
      }
      await requireWhole(made);
      // Nothing is in anybody's way now: what is left is exactly what is needed.
      clock.time += 3 * day;
      const decisions = await Array.fromAsync(server.registry.collect({ untagged: true }));
      const reached = await requireWhole(made);
      const left = decisions.filter(({ action, what }) => action === "keep" && what !== "bytes");
      assert.deepEqual(new Set(left.map(({ repository, digest }) => `${repository} ${digest}`)), reached);
      const bytes = new Set([...reached].map((at) => at.split(" ")[1]));
      assert.deepEqual(new Set(await Array.fromAsync(blobs.list())), bytes);
      assert.deepEqual(server.failures, []);
      // The next run begins with nothing.
      named.clear();
      namedAt.clear();
      for (const repository of repositories)
        for (const tag of tags) await client.status("DELETE", `${repository}/manifests/${tag}`);
      clock.time += 3 * day;
      await Array.fromAsync(server.registry.collect({ untagged: true }));
      assert.deepEqual(await Array.fromAsync(blobs.list()), []);
    }),
    { numRuns: 25 },
  );
});
