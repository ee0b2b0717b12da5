import assert from "node:assert/strict";
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { packCarrier } from "@tally/oci";
import { type Header, pack } from "tar-stream";
import { readIndex, writeIndex } from "../testing/carried-layout.ts";
import { Loop } from "../testing/loop.ts";

/** An export that is signed, as a folder and as a tar. */
async function exported(t: TestContext): Promise<{ loop: Loop; dir: string; tar: Buffer }> {
  const loop = await Loop.start(t);
  await loop.do("keygen", "keys/operator");
  await loop.do("identity", "add", "operator", "--key", "keys/operator.pub.pem", "--may", "export");
  await writeFile(join(loop.folder, "trust.json"), await loop.do("trust", "show"));
  await loop.publish();
  await loop.enrol();
  await loop.infer();
  await loop.do("export", "tiny:v1", "-o", "carried", "--segments", "--key", "keys/operator.pem");
  const dir = join(loop.folder, "carried");
  return { loop, dir, tar: Buffer.concat(await Array.fromAsync(packCarrier(dir))) };
}

/** Draws the same numbers every time: a failure is to be had again. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
}

async function check(loop: Loop, tar: Uint8Array) {
  await writeFile(join(loop.folder, "damaged.tar"), tar);
  return loop.try("import", "damaged.tar", "--check", "--json");
}

/** Whether a byte of a tar is covered by nothing: it fills the last block of a file, or the end, or is the index's own wording. */
function isUncovered(tar: Buffer, at: number): boolean {
  for (let offset = 0; offset + 512 <= tar.length; ) {
    const size = Number.parseInt(tar.toString("latin1", offset + 124, offset + 135), 8);
    if (Number.isNaN(size)) return at >= offset;
    const isIndex = tar.toString("latin1", offset, offset + 11) === "index.json\0";
    const end = offset + 512 + size;
    const next = offset + 512 + Math.ceil(size / 512) * 512;
    if (at >= (isIndex ? offset + 512 : end) && at < next) return true;
    offset = next;
  }
  return false;
}

test("a byte changed anywhere in a tar is found, or changes nothing of what is in it", async (t) => {
  const { loop, tar } = await exported(t);
  const whole = await check(loop, tar);
  assert.equal(whole.code, 0, whole.out);
  const draw = numbers(7);
  let found = 0;
  for (let n = 0; n < 80; n += 1) {
    const at = draw(tar.length);
    const changed = Buffer.from(tar);
    changed[at]! ^= 1 << draw(8);
    const said = await check(loop, changed);
    const where = `byte ${at} of ${tar.length}: ${said.err}`;
    // A damaged tar is no usage error and no crash.
    assert.ok([0, 3, 6].includes(said.code), `${where}${said.out}`);
    if (said.code === 0) {
      // Contents are by digest, headers have a checksum, and names and types in the index are compared.
      assert.ok(isUncovered(tar, at), where);
      assert.equal(said.out, whole.out, where);
    } else found += 1;
  }
  assert.ok(found > 25, `${found} of 80`);
});

test("a tar that is cut anywhere is refused", async (t) => {
  const { loop, tar } = await exported(t);
  const draw = numbers(3);
  const places = [0, 1, 511, 512, 513, tar.length - 1, tar.length - 512, tar.length - 1024];
  for (let n = 0; n < 25; n += 1) places.push(draw(tar.length));
  for (const at of places) {
    const said = await check(loop, tar.subarray(0, at));
    assert.equal(said.code, 3, `cut at ${at} of ${tar.length}: ${said.out}${said.err}`);
  }
});

test("blobs that change places, and an index that is edited, are found", async (t) => {
  const { loop, dir } = await exported(t);
  const changed = join(loop.folder, "changed");
  const { manifests } = await readIndex(dir);
  const names = manifests.map(({ digest }) => digest.slice("sha256:".length));
  const draw = numbers(11);
  const again = async () => {
    await rm(changed, { recursive: true, force: true });
    await cp(dir, changed, { recursive: true });
    return loop.try("import", "changed", "--check");
  };
  for (let n = 0; n < 6; n += 1) {
    await again();
    const [a, b] = [names[draw(names.length)]!, names[draw(names.length)]!];
    if (a === b) continue;
    const path = (name: string) => join(changed, "blobs", "sha256", name);
    const bytes = [await readFile(path(a)), await readFile(path(b))] as const;
    await writeFile(path(a), bytes[1]);
    await writeFile(path(b), bytes[0]);
    const said = await loop.try("import", "changed", "--check");
    assert.equal(said.code, 3, said.out);
    assert.match(said.out, /BAD +blob/);
  }
  type Item = (typeof manifests)[number];
  const edits: readonly (readonly [what: string, edit: (items: Item[]) => Item[]])[] = [
    ["every entry gone", () => []],
    ["an entry's size", ([first, ...rest]) => [{ ...first!, size: first!.size + 1 }, ...rest]],
    [
      "an entry twice under another name",
      (items) => [
        ...items,
        { ...items[0]!, annotations: { "tally.repository": "tiny", "org.opencontainers.image.ref.name": "v2" } },
      ],
    ],
    [
      "an entry without its name",
      ([first, ...rest]) => [
        { digest: first!.digest, size: first!.size, mediaType: (first as { mediaType?: string }).mediaType } as Item,
        ...rest,
      ],
    ],
    ["an entry of another type", ([first, ...rest]) => [{ ...first!, mediaType: "text/plain" } as Item, ...rest]],
    [
      "an entry said to be a bill of materials",
      ([first, ...rest]) => [{ ...first!, artifactType: "application/spdx+json" }, ...rest],
    ],
    [
      "an inventory said to be none",
      (items) =>
        items.map((item) => (item.artifactType?.includes("inventory") ? { ...item, artifactType: "a/b" } : item)),
    ],
    ["an entry that climbs out", (items) => [...items, { digest: "sha256:../../../../etc/passwd", size: 1 }]],
  ];
  for (const [what, edit] of edits) {
    await again();
    const index = await readIndex(changed);
    await writeIndex(changed, { ...index, manifests: edit(index.manifests) });
    const said = await loop.try("import", "changed", "--check");
    assert.equal(said.code, 3, `${what}: ${said.out}${said.err}`);
  }
  for (const text of [
    "",
    "{",
    "[]",
    "null",
    '{"schemaVersion":2}',
    '{"schemaVersion":2,"manifests":[null]}',
    "\ufeff{}",
  ]) {
    await again();
    await writeFile(join(changed, "index.json"), text);
    const said = await loop.try("import", "changed", "--check");
    assert.equal(said.code, 3, `${JSON.stringify(text)}: ${said.out}${said.err}`);
  }
});

test("a tar with more in it than a layout is refused, whatever it is", async (t) => {
  const { loop, tar, dir } = await exported(t);
  const files = tar.subarray(0, tar.length - 1024);
  const more: readonly (Partial<Header> & { name: string })[] = [
    { name: "blobs/sha256/../../outside" },
    { name: "./../outside" },
    { name: "/etc/passwd" },
    { name: "blobs/sha256/link", type: "symlink", linkname: "/etc/passwd" },
    { name: `blobs/sha256/${"a".repeat(64)}`, type: "link", linkname: "index.json" },
    { name: `blobs/sha256/${"a".repeat(64)}`, type: "fifo" },
    { name: `blobs/sha256/${"a".repeat(64)}`, type: "block-device" },
    { name: "index.json" },
    { name: "Index.json" },
    { name: "./index.json" },
    { name: `BLOBS/sha256/${"a".repeat(64)}` },
    { name: `blobs/sha256/${"A".repeat(64)}` },
    { name: `blobs/sha256/${"a".repeat(64)}/inside` },
    { name: `blobs/sha256/${"a".repeat(64)}` },
    { name: "blobs\\sha256\\x" },
    { name: "in\u0000dex.json" },
    { name: "Inde\u0301x.json" },
  ];
  const before = await readIndex(dir);
  for (const header of more) {
    const added = pack();
    if (header.type === undefined) added.entry({ name: header.name }, "{}");
    else added.entry(header as Header);
    added.finalize();
    const bytes = Buffer.concat(await Array.fromAsync(added as AsyncIterable<Buffer>));
    for (const whole of [Buffer.concat([files, bytes]), Buffer.concat([bytes.subarray(0, bytes.length - 1024), tar])]) {
      const said = await check(loop, whole);
      assert.equal(said.code, 3, `${JSON.stringify(header)}: ${said.out}${said.err}`);
    }
  }
  assert.deepEqual(await readIndex(dir), before);
});
