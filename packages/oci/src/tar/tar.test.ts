import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { type Header, pack } from "tar-stream";
import { extractTar, listFiles, memoryFile, packTar, readTar } from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "tally-tar-"));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
function newFolder(): string {
  const folder = join(root, String(++folders));
  mkdirSync(folder);
  return folder;
}

async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(chunks));
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

type Entry = { name: string; type?: string; linkname?: string; body?: string; pax?: Record<string, string> };

/** A tar as another program, perhaps an ill-meaning one, might have written it. */
async function foreignTar(...entries: Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const { body = "", ...header } of entries) {
    if (header.type === undefined || header.type === "file")
      archive.entry({ name: header.name, ...(header.pax && { pax: header.pax }) } as Header, body);
    else archive.entry(header as Header);
  }
  archive.finalize();
  return gather(archive as AsyncIterable<Uint8Array>);
}

const files = [
  memoryFile("b/second.txt", Buffer.from("two")),
  memoryFile("a.txt", Buffer.from("one")),
  memoryFile("b/empty", new Uint8Array()),
  memoryFile(`${"long/".repeat(40)}ünïcode.bin`, Buffer.alloc(70_000, 7)),
];

test("the same files give the same bytes, whatever their order", async () => {
  const one = await gather(packTar(files));
  const two = await gather(packTar([...files].reverse()));
  assert.deepEqual(one, two);
  assert.equal(
    createHash("sha256")
      .update(await gather(packTar(files.slice(0, 3))))
      .digest("hex"),
    "52e3cf3db8a98efc9f4b1494fe50f7efd8197565183a8a985eae830653fbf102",
  );
});

test("the system's tar reads what is packed, with folders before their files", async (t) => {
  const path = join(newFolder(), "archive.tar");
  writeFileSync(path, await gather(packTar(files.slice(0, 3))));
  let listing: string;
  try {
    listing = execFileSync("tar", ["-tf", path], { encoding: "utf8" });
  } catch {
    return t.skip("no tar command here");
  }
  assert.deepEqual(listing.trim().split("\n"), ["a.txt", "b/", "b/empty", "b/second.txt"]);
});

test("a packed folder is extracted with the same names, sizes and digests", async () => {
  const folder = newFolder();
  const extracted = await extractTar(inPieces(await gather(packTar(files)), 1000), folder);
  assert.deepEqual(extracted.map((file) => file.name).sort(), files.map((file) => file.name).sort());
  const listed = await listFiles(folder);
  assert.deepEqual(await gather(packTar(listed)), await gather(packTar(files)));
  const second = extracted.find((file) => file.name === "b/second.txt");
  assert.equal(second?.digest, `sha256:${createHash("sha256").update("two").digest("hex")}`);
});

test("names and contents survive packing and reading in any pieces", async () => {
  // Long enough to be no device of any system.
  const part = fc.stringMatching(/^[a-z]{4,12}$/);
  const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => `${parts.join("/")}.f`);
  const tree = fc.uniqueArray(fc.tuple(name, fc.uint8Array({ maxLength: 2000 })), {
    selector: ([n]) => n,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(tree, fc.integer({ min: 1, max: 700 }), async (entries, size) => {
      const tar = await gather(packTar(entries.map(([n, bytes]) => memoryFile(n, bytes))));
      const back: [string, string][] = [];
      for await (const file of readTar(inPieces(tar, size))) {
        back.push([file.name, (await gather(file.content)).toString("hex")]);
      }
      const expected = entries.map(([n, bytes]) => [n, Buffer.from(bytes).toString("hex")]);
      assert.deepEqual(back.sort(), expected.sort());
    }),
    { numRuns: 60 },
  );
});

for (const [attack, entries] of [
  ["climbs out with ..", [{ name: "../outside" }]],
  ["climbs out from within", [{ name: "a/../../outside" }]],
  ["is absolute", [{ name: "/etc/outside" }]],
  ["has a drive letter", [{ name: "C:/outside" }]],
  ["has a backslash", [{ name: "..\\outside" }]],
  ["has an empty part", [{ name: "a//b" }]],
  ["is longer than most systems take", [{ name: `${"folder/".repeat(150)}a` }]],
  ["has a part that is longer than most systems take", [{ name: "n".repeat(256) }]],
  ["is no text", [{ name: "model\ufffd.onnx" }]],
  ["is a symbolic link", [{ name: "link", type: "symlink", linkname: "/etc/passwd" }]],
  ["is a hard link", [{ name: "link", type: "link", linkname: "a" }]],
  ["is a device", [{ name: "null", type: "character-device" }]],
  ["is a pipe", [{ name: "pipe", type: "fifo" }]],
  ["comes twice", [{ name: "a" }, { name: "a" }]],
  ["comes twice in two spellings", [{ name: "a" }, { name: "./a" }]],
  ["differs in case only", [{ name: "Model.onnx" }, { name: "model.onnx" }]],
  ["differs in composition only", [{ name: "caf\u00e9" }, { name: "cafe\u0301" }]],
  ["has a folder that differs in case only", [{ name: "A/x" }, { name: "a/y" }]],
  ["differs in characters that nobody sees", [{ name: ".g\u200cit/config" }, { name: ".git/config" }]],
  ["ends in a dot", [{ name: "model.onnx." }]],
  ["has a folder that ends in a space", [{ name: "weights /a" }]],
  ["is a file's own content in other words", [{ name: "model.onnx::$DATA" }]],
  ["is a device of other systems", [{ name: "weights/Con.onnx" }]],
  ["turns the direction of writing", [{ name: "model\u202exnno.exe" }]],
  ["is another one to who knows files with holes", [{ name: "a", pax: { "GNU.sparse.name": "../outside" } }]],
  ["is a file and then a folder", [{ name: "a" }, { name: "a/b" }]],
  ["is a folder and then a file", [{ name: "a/b" }, { name: "a" }]],
] as const) {
  test(`an archive in which a name ${attack} is refused and nothing lands outside`, async () => {
    const folder = newFolder();
    const inner = join(folder, "inner");
    mkdirSync(inner);
    const tar = await foreignTar(...entries);
    await assert.rejects(extractTar(inPieces(tar, 512), inner), { code: "archive-invalid" });
    assert.deepEqual(await listFiles(folder).then((found) => found.filter((f) => f.name.includes("outside"))), []);
  });
}

test("an archive with too many entries or bytes is refused before they are written", async () => {
  const tar = await foreignTar({ name: "a", body: "12345" }, { name: "b", body: "67890" });
  await assert.rejects(extractTar(inPieces(tar, 512), newFolder(), { maxEntries: 1, maxBytes: 100 }), {
    code: "too-large",
  });
  await assert.rejects(extractTar(inPieces(tar, 512), newFolder(), { maxEntries: 9, maxBytes: 9 }), {
    code: "too-large",
  });
});

/** A header of the given type and size, as ustar writes it. */
function header(type: string, size: number): Uint8Array {
  const bytes = Buffer.alloc(512);
  bytes.write("bomb", 0);
  bytes.write("0000644\0", 100);
  bytes.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  bytes.write("00000000000\0", 136);
  bytes.write("        ", 148);
  bytes.write(type, 156);
  bytes.write("ustar\x0000", 257);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return bytes;
}

for (const [bomb, beginning, code] of [
  ["an extended header of eight gigabytes", header("x", 8 * 2 ** 30 - 1), "archive-invalid"],
  ["a global header of eight gigabytes", header("g", 8 * 2 ** 30 - 1), "archive-invalid"],
  ["a long name of eight gigabytes", header("L", 8 * 2 ** 30 - 1), "archive-invalid"],
  ["padding without end", new Uint8Array(0), "too-large"],
] as const) {
  test(`a bomb: ${bomb} is refused after little of it`, async () => {
    let sent = 0;
    async function* endless() {
      yield beginning;
      for (const zeros = new Uint8Array(64 * 1024); sent < 2 ** 26; sent += zeros.length) yield zeros;
    }
    await assert.rejects(extractTar(endless(), newFolder()), { code });
    assert.ok(sent < 4 * 2 ** 20, `${sent} bytes were read`);
  });
}

test("an archive cut anywhere is refused", async () => {
  const tar = await gather(packTar(files.slice(0, 3)));
  for (let length = 0; length < tar.length; length += 256) {
    await assert.rejects(extractTar(inPieces(tar.subarray(0, length), 300), newFolder()), { code: "archive-invalid" });
  }
});

test("names from other writers may begin with ./ and name the folder itself", async () => {
  const tar = await foreignTar(
    { name: "./", type: "directory" },
    { name: "./model/", type: "directory" },
    { name: "./model/m", body: "x" },
  );
  const extracted = await extractTar(inPieces(tar, 512), newFolder());
  assert.deepEqual(
    extracted.map((file) => file.name),
    ["model/m"],
  );
});

test("an error of the source is the error of the extraction", async () => {
  const tar = await gather(packTar(files));
  async function* failing() {
    yield* inPieces(tar, 512);
    throw new RangeError("the digest is another");
  }
  await assert.rejects(extractTar(failing(), newFolder()), RangeError);
});

test("a consumer may leave after the first file", async () => {
  for await (const file of readTar(inPieces(await gather(packTar(files)), 512))) {
    assert.equal(file.name, "a.txt");
    break;
  }
});

test("a file that changes while it is packed is noticed", async () => {
  const shrinking = { name: "a", size: 10, content: () => inPieces(Buffer.from("short"), 5) };
  const growing = { name: "a", size: 1, content: () => inPieces(Buffer.from("grown"), 5) };
  await assert.rejects(gather(packTar([shrinking])), { code: "archive-invalid" });
  await assert.rejects(gather(packTar([growing])), { code: "archive-invalid" });
});

test("a folder with a link in it cannot be listed", async (t) => {
  const folder = newFolder();
  writeFileSync(join(folder, "real"), "x");
  try {
    symlinkSync(join(folder, "real"), join(folder, "link"));
  } catch {
    return t.skip("no symbolic links here");
  }
  await assert.rejects(listFiles(folder), { code: "archive-invalid" });
  assert.deepEqual(
    (await listFiles(folder, ["link"])).map((file) => file.name),
    ["real"],
  );
  assert.equal(readFileSync(join(folder, "real"), "utf8"), "x");
});
