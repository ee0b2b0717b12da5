import assert from "node:assert/strict";
import { test } from "node:test";
import { equalBytes } from "../bytes.ts";
import {
  BundleDamage,
  type ByteSource,
  blobSource,
  bytesSource,
  entriesMember,
  indexBundle,
  type Member,
  memberTypes,
  readBundle,
  readMembers,
  writeBundle,
} from "./index.ts";

// Larger than a piece that is read at a time, with members that lie across pieces, and one that is larger than a piece.
const slices: readonly Member[] = Array.from({ length: 100 }, (_, i) =>
  entriesMember({
    origin: `plane.test/d/${i % 3}/0`,
    from: i * 256,
    items: Array.from({ length: 256 }, (_, j) => new Uint8Array(130).fill(i + j)),
  }),
);
const large = { type: memberTypes.blob, bytes: new Uint8Array(2_500_000).map((_, i) => i * 7) };
const small = Array.from({ length: 30_000 }, (_, i) => ({
  type: memberTypes.blob,
  bytes: Uint8Array.of(i, i >> 8, 1),
}));
const file = writeBundle({ kind: "record", origin: "a", index: 0 }, [...slices, large, ...small]);

/** Counts what is read, and the longest piece. */
function counted(bytes: Uint8Array): ByteSource & { total: number; longest: number } {
  const counts = {
    size: bytes.length,
    total: 0,
    longest: 0,
    read: async (offset: number, length: number) => {
      counts.total += length;
      counts.longest = Math.max(counts.longest, length);
      return bytes.slice(offset, offset + length);
    },
  };
  return counts;
}

test("a bundle is indexed by reading it once, a piece at a time, and its members are found where they are", async () => {
  const source = counted(file);
  const seen: number[] = [];
  const index = await indexBundle(source, (bytes) => seen.push(bytes));
  assert.ok(source.longest <= large.bytes.length, "no piece is longer than the longest member");
  assert.ok(source.total < file.length * 1.2, `${source.total} of ${file.length} bytes`);
  assert.equal(seen.at(-1), file.length);
  assert.ok(seen.every((bytes, i) => i === 0 || bytes >= seen[i - 1]!));
  const whole = await readBundle(file);
  assert.equal(index.members.length, whole.members.length);
  assert.ok(index.members.every((member) => !("bytes" in member)));
  const picked = index.members.filter((_, i) => i % 11 === 0);
  let at = 0;
  for await (const { offset, bytes } of readMembers(index, picked)) {
    assert.equal(offset, picked[at]!.offset);
    assert.ok(equalBytes(bytes, file.subarray(offset, offset + picked[at]!.length)));
    at += 1;
  }
  assert.equal(at, picked.length);
});

test("a Blob is read like bytes", async () => {
  const index = await indexBundle(blobSource(new Blob([file as Uint8Array<ArrayBuffer>])));
  assert.deepEqual(index.members, (await indexBundle(bytesSource(Buffer.from(file)))).members);
});

test("damage beyond the first piece is named with its member and offset", async () => {
  const { members } = await indexBundle(bytesSource(file));
  const last = members.at(-1)!;
  for (const at of [members[60]!.offset + 5, members[99]!.offset - 2, last.offset, last.offset - 1, file.length - 40]) {
    const changed = file.slice();
    changed[at]! ^= 1;
    const damage = await indexBundle(bytesSource(changed)).catch((error: unknown) => error);
    assert.ok(damage instanceof BundleDamage && damage.offset <= at, String(damage));
    const member = members.findLast(({ offset }) => offset - 6 <= damage.offset)!;
    assert.ok(damage.where.startsWith(`member ${members.indexOf(member)} `) || at > last.offset, damage.message);
  }
});

test("a file that shrinks or changes after it was indexed is said to have changed, and nobody is accused", async () => {
  const bytes = file.slice();
  const index = await indexBundle(bytesSource(bytes));
  bytes[index.members[40]!.offset]! ^= 1;
  await assert.rejects(Array.fromAsync(readMembers(index, index.members)), { code: "source-changed" });
  const shrunk: ByteSource = {
    size: file.length,
    read: async (offset, length) => file.subarray(0, 3_000_000).slice(offset, offset + length),
  };
  await assert.rejects(indexBundle(shrunk), { code: "source-changed" });
});

test("what a source throws is what the caller gets", async () => {
  const failure = new Error("EIO");
  const failing: ByteSource = { size: file.length, read: () => Promise.reject(failure) };
  await assert.rejects(indexBundle(failing), failure);
});
