import assert from "node:assert/strict";
import { test } from "node:test";
import { Meter, showingProgress, sizeWords, timeWords } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

const mebibyte = 1024 * 1024;

function watched(isTTY: boolean): { terminal: Terminal; written: string[] } {
  const written: string[] = [];
  const terminal: Terminal = {
    stdout: { write: () => assert.fail("progress is no data") },
    stderr: { write: (text) => written.push(text), isTTY, columns: 60 },
    env: {},
    cwd: "/",
    stdin: (async function* () {})(),
    stop: new AbortController().signal,
  };
  return { terminal, written };
}

test("a terminal gets one line that is written over, with bytes, rate and what is left, and cleared at the end", () => {
  const { terminal, written } = watched(true);
  let now = 0;
  const meter = new Meter(terminal, "pulling", false, () => now);
  meter.expect(100 * mebibyte);
  meter.advance(20 * mebibyte, "kept");
  now = 2000;
  meter.advance(40 * mebibyte, "done");
  now = 2010;
  meter.advance(mebibyte, "done"); // Too soon to be drawn.
  meter.end();
  assert.deepEqual(written, [
    `${"\rpulling: 20%, 20 MiB of 100 MiB, 20 MiB of it there already\u001b[K".slice(0, 60)}\u001b[K`,
    `${"\rpulling: 60%, 60 MiB of 100 MiB, 20 MiB of it there already, 20 MiB/s, 2 s left".slice(0, 60)}\u001b[K`,
    "\r\u001b[K",
  ]);
});

test("plain progress is a line each tenth", () => {
  const { terminal, written } = watched(false);
  let now = 0;
  const meter = new Meter(terminal, "packing", true, () => now);
  meter.expect(4 * mebibyte);
  for (let i = 0; i < 64; i += 1) {
    now += 100;
    meter.advance(mebibyte / 16, "done");
  }
  assert.equal(written.length, 10);
  assert.equal(written[4], "packing: 50%, 2 MiB of 4 MiB, 640 KiB/s, 4 s left\n");
});

test("where nobody watches, or nobody wants to, nothing is written", async () => {
  for (const [mode, isTTY] of [["auto", false] as const, ["none", true] as const]) {
    const { terminal, written } = watched(isTTY);
    await showingProgress(terminal, mode, "packing", async (progress) => {
      progress?.expect(9 * mebibyte);
      progress?.advance(9 * mebibyte, "done");
    });
    assert.deepEqual(written, []);
  }
});

test("sizes and times are written for people", () => {
  assert.deepEqual([0, 1023, 1024, 1536, 4 * 2 ** 30, 5e15].map(sizeWords), [
    "0 bytes",
    "1023 bytes",
    "1 KiB",
    "1.5 KiB",
    "4 GiB",
    "4547 TiB",
  ]);
  assert.deepEqual([0, 59.1, 60, 3723].map(timeWords), ["0 s", "1:00", "1:00", "1:02:03"]);
});
