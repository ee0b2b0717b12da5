import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { decodeEntryBundle, parseCheckpoint, parseVkey, verifyNote } from "@tally/evidence";
import { SimulatedDisk } from "../testing/simulated-disk.ts";
import { LogStore } from "./log-store.ts";

const vectors = new URL("../../../../../shared/vectors/tlog-tiles/tessera-log/", import.meta.url);
const absent = existsSync(vectors) ? false : "the published vectors are not here";
const vkey = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

test("a published log, appended entry by entry, has its signed roots and its very tiles", {
  skip: absent,
}, async () => {
  const checkpoints = readdirSync(vectors)
    .filter((name) => name.startsWith("checkpoint."))
    .map((name) => parseCheckpoint(readFileSync(new URL(name, vectors))));
  const largest = Math.max(...checkpoints.map(({ checkpoint }) => checkpoint.size));
  const bundle = readFileSync(new URL(`tile/entries/000.p/${largest}`, vectors));
  const store = await LogStore.open({ dir: "/log", origin: "example.com/log/testdata", files: new SimulatedDisk() });
  for (const entry of decodeEntryBundle(new Uint8Array(bundle))) await store.append([entry]);
  assert.equal(checkpoints.length, 16);
  for (const { checkpoint, note } of checkpoints) {
    assert.equal(verifyNote(note, [parseVkey(vkey)]).length, 1);
    assert.deepEqual(await store.root(checkpoint.size), checkpoint.root);
    if (checkpoint.size === 0) continue;
    for (const path of [`tile/0/000.p/${checkpoint.size}`, `tile/entries/000.p/${checkpoint.size}`]) {
      assert.deepEqual(
        await store.tile(path, checkpoint.size),
        new Uint8Array(readFileSync(new URL(path, vectors))),
        path,
      );
    }
  }
});
