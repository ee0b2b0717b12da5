import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { openPayload, sealedOverhead, sealPayload } from "./payload-cipher.ts";
import type { Payload } from "./payload-store.ts";

const key = randomBytes(32);
const payload: Payload = {
  index: 7,
  role: "input",
  slot: 4,
  mediaType: "text/plain",
  bytes: new TextEncoder().encode("planted secret"),
};

test("a payload is opened by its record's key, and by no other", () => {
  const sealed = sealPayload(payload, key);
  assert.equal(Buffer.from(sealed.bytes).includes("planted"), false);
  assert.equal(sealed.bytes.length, payload.bytes.length + sealedOverhead);
  assert.deepEqual(openPayload(sealed, key), payload);
  assert.equal(openPayload(sealed, randomBytes(32)), undefined);
});

test("a payload moved to another entry, role or slot, changed or cut is not opened", () => {
  const sealed = sealPayload(payload, key);
  for (const other of [{ index: 8 }, { role: "output" as const }, { slot: 5 }, { mediaType: "text/html" }]) {
    assert.equal(openPayload({ ...sealed, ...other }, key), undefined);
  }
  for (let at = 0; at < sealed.bytes.length; at++) {
    const bytes = Buffer.from(sealed.bytes);
    bytes[at]! ^= 1;
    assert.equal(openPayload({ ...sealed, bytes }, key), undefined, `byte ${at} changed`);
    assert.equal(openPayload({ ...sealed, bytes: sealed.bytes.subarray(0, at) }, key), undefined, `cut at ${at}`);
  }
});

test("the same content sealed twice is not the same", () => {
  assert.notDeepEqual(sealPayload(payload, key).bytes, sealPayload(payload, key).bytes);
});
