import assert from "node:assert/strict";
import { test } from "node:test";
import { asHash, concatBytes, type Hash, packedEntry, sha256, utf8 } from "@tally/evidence";
import fc from "fast-check";
import { LedgerError } from "../error.ts";
import { ByteReader } from "./byte-reader.ts";
import {
  formatPackage,
  formatUploadHeader,
  PACKAGE_ENTRIES,
  type PackageRange,
  packageRanges,
  readPackage,
  readUploadHeader,
  type UploadHeader,
} from "./upload-body.ts";

/** The bytes in pieces of the given sizes, repeated. */
async function* inPieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    yield bytes.slice(at, at + size);
    at += size;
  }
}

interface SentPackage extends PackageRange {
  readonly entries: readonly Uint8Array[];
  readonly proof: readonly Hash[];
}

async function readBody(
  source: AsyncIterable<Uint8Array>,
): Promise<{ header: UploadHeader; packages: SentPackage[]; rest: boolean }> {
  const reader = new ByteReader(source);
  const header = await readUploadHeader(reader);
  const packages: SentPackage[] = [];
  for (const range of packageRanges(header.start, header.end)) {
    const received = await readPackage(reader, range);
    if (received === undefined) break;
    const { packed, proof } = received;
    packages.push({ ...range, entries: Array.from(packed.ends, (_, i) => packedEntry(packed, i).slice()), proof });
  }
  return { header, packages, rest: await reader.fill(1) };
}

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes): Hash => asHash(bytes));
const upload = fc
  .record({
    origin: fc.string({ maxLength: 40, unit: "binary" }),
    start: fc.integer({ min: 0, max: 600 }),
    count: fc.integer({ min: 0, max: 300 }),
    ticket: fc.uint8Array({ maxLength: 80 }),
    proof: fc.array(hash, { maxLength: 63 }),
    seed: fc.nat(),
  })
  .map(({ origin, start, count, ticket, proof, seed }) => {
    const header = { origin, start, end: start + count, ticket };
    const packages = [...packageRanges(start, start + count)].map((range) => {
      const lengthOf = (i: number) => sha256(utf8(`${seed} ${i}`))[0]! % 40;
      const entries = Array.from({ length: range.end - range.start }, (_, i) => new Uint8Array(lengthOf(i)).fill(i));
      return { ...range, entries, proof };
    });
    return { header, packages };
  });
const pieces = fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 5 });

function encode({ header, packages }: { header: UploadHeader; packages: readonly SentPackage[] }): Uint8Array {
  return concatBytes(
    formatUploadHeader(header),
    ...packages.map(({ entries, proof }) => formatPackage(entries, proof)),
  );
}

test("an upload reads back as it was written, wherever its bytes are cut into chunks", async () => {
  await fc.assert(
    fc.asyncProperty(upload, pieces, async (sent, sizes) => {
      const received = await readBody(inPieces(encode(sent), sizes));
      assert.deepEqual(received, { ...sent, rest: false });
    }),
    { numRuns: 60 },
  );
});

test("an upload that is cut anywhere gives exactly the packages before the cut", async () => {
  await fc.assert(
    fc.asyncProperty(upload, pieces, fc.double({ min: 0, max: 0.999, noNaN: true }), async (sent, sizes, part) => {
      const bytes = encode(sent);
      const cut = bytes.subarray(0, Math.floor(part * bytes.length));
      if (cut.length < formatUploadHeader(sent.header).length) {
        await assert.rejects(readBody(inPieces(cut, sizes)), { code: "protocol" });
        return;
      }
      const received = await readBody(inPieces(cut, sizes));
      assert.deepEqual(received.packages, sent.packages.slice(0, received.packages.length));
      assert.ok(received.packages.length < sent.packages.length);
    }),
    { numRuns: 60 },
  );
});

test("garbage is an error of the protocol or some packages, never anything else", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 4_000 }), pieces, async (garbage, sizes) => {
      try {
        const { header, packages } = await readBody(inPieces(garbage, sizes));
        assert.ok(header.start <= header.end);
        assert.deepEqual(encode({ header, packages }), garbage.subarray(0, encode({ header, packages }).length));
      } catch (error) {
        assert.ok(error instanceof LedgerError && error.code === "protocol", String(error));
      }
    }),
    { numRuns: 300 },
  );
});

test("sizes above 2^53 - 1, a start behind the end and an origin that is not UTF-8 are refused", async () => {
  const header = formatUploadHeader({ origin: "a", start: 1, end: 2, ticket: new Uint8Array(0) });
  const changed = (at: number, value: number) => header.with(at, value);
  for (const bad of [changed(3, 1), changed(3, 0x20), changed(10, 3), changed(2, 0xff), header.subarray(0, 20)]) {
    await assert.rejects(readBody(inPieces(bad, [7])), { code: "protocol" });
  }
  await readBody(inPieces(header, [7]));
});

test("the canonical sequence is cut at every multiple of 256", () => {
  fc.assert(
    fc.property(fc.nat(5_000), fc.nat(5_000), (start, count) => {
      const ranges = [...packageRanges(start, start + count)];
      const indices = ranges.flatMap((range) => [range.start, range.end]);
      assert.deepEqual(indices[0] ?? start, start);
      assert.deepEqual(indices.at(-1) ?? start, start + count);
      for (const [i, range] of ranges.entries()) {
        assert.equal(range.aligned % PACKAGE_ENTRIES, 0);
        assert.ok(
          range.aligned <= range.start && range.start < range.end && range.end <= range.aligned + PACKAGE_ENTRIES,
        );
        if (i > 0) assert.equal(range.start, ranges[i - 1]!.end);
      }
      const expected = count === 0 ? 0 : Math.ceil((start + count) / 256) - Math.floor(start / 256);
      assert.equal(ranges.length, expected);
    }),
  );
});
