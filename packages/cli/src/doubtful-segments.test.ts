import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDigest, type SegmentItem } from "@tally/evidence";
import { doubtsOf, ledgersOf } from "./doubtful-segments.ts";

const manifest = parseDigest(`sha256:${"0".repeat(64)}`);
const segment = (origin: string): SegmentItem => ({ manifest, origin, deviceId: origin, from: 0, to: 1, index: 1 });
const devices = ["ok", "revoked", "equivocated", "decommissioned"].map((state) => ({ origin: state, state }));

test("segments of ledgers with revoked keys or two histories are in doubt, those of others are not", async () => {
  const client = { get: async <T>() => ({ devices }) as T };
  const items = ["ok", "revoked", "equivocated", "decommissioned"].map(segment);
  assert.deepEqual([...doubtsOf(await ledgersOf(client, items)).keys()], ["revoked", "equivocated"]);
  assert.deepEqual([...doubtsOf(await ledgersOf(client, items.slice(0, 1))).keys()], []);
});
