import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { indexItems } from "./index-items.ts";

async function* cut(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

async function read(chunks: AsyncIterable<Uint8Array>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const items of indexItems(chunks, "testing")) all.push(...items);
  return all;
}

const items = (text: string, size = 7) => read(cut(text, size));

test("what comes out is what JSON.parse finds, whatever the items hold and wherever the bytes are cut", async () => {
  const item = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 });
  const index = fc.record({ before: fc.jsonValue(), manifests: fc.array(item), after: fc.jsonValue() });
  await fc.assert(
    fc.asyncProperty(index, fc.integer({ min: 1, max: 40 }), fc.boolean(), async (value, size, spaced) => {
      const text = JSON.stringify(value, null, spaced ? 2 : 0);
      assert.deepEqual(await items(text, size), JSON.parse(text).manifests);
    }),
  );
});

test("a list named inside an item or an annotation is not the list", async () => {
  const value = { annotations: { manifests: [1] }, manifests: [{ manifests: [{ a: '"manifests":[{}]' }] }], z: "]" };
  assert.deepEqual(await items(JSON.stringify(value)), value.manifests);
});

test("no list and null are nothing; a key in escapes is still the key", async () => {
  assert.deepEqual(await items('{"schemaVersion":2,"manifests":null}'), []);
  assert.deepEqual(await items('{"manifests":[ ]}'), []);
  assert.deepEqual(await items('{"\\u006danifests":[{"a":1}]}'), [{ a: 1 }]);
});

test("what is no index is refused: cut short, no list, two lists, missing or doubled commas, items that are no objects", async () => {
  const wrong = ["", "[]", "{}", '{"manifests":[{}', '{"manifests":[{}]', '{"manifests":[{},]}', '{"manifests":[,{}]}'];
  const more = [
    '{"manifests":[{}{}]}',
    '{"manifests":[{},,{}]}',
    '{"manifests":[1]}',
    '{"manifests":[{}],"manifests":[{}]}',
  ];
  for (const text of [...wrong, ...more, '{"manifests":[{]}]}', '{"manifests":{}}', '{"manifests":[{}]}x']) {
    await assert.rejects(items(text), { name: "OciError" }, text);
  }
});

test("an item without an end is refused before it fills the memory", async () => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode('{"manifests":[{"a":"');
    for (;;) yield Buffer.alloc(65_536, "x");
  }
  await assert.rejects(read(endless()), { code: "too-large" });
});
