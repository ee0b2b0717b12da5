import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { enroll, openDevice, syncRound } from "@tally/edge";
import { commit, decodeEntry, mediaTypes, sha256, type TokenResponse, utf8 } from "@tally/evidence";
import { startPlane } from "@tally/plane";

const subject = "planted-subject-4711";
const secret = "planted: the patient's name is in here, and nowhere else";
/** A classifier's outputs: whoever can try them all needs no key. */
const outputs = ["benign", "malignant", "unknown", "0", "1", "true", "false"] as const;

/** Every file below a folder, with what is in gzip members and zstd frames. */
async function everyByte(folder: string): Promise<Buffer> {
  const items = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = await Promise.all(
    items.filter((item) => item.isFile()).map((item) => readFile(join(item.parentPath, item.name))),
  );
  return Buffer.concat(files.flatMap((bytes) => [bytes, ...unpacked(bytes)]));
}

function unpacked(bytes: Buffer): Buffer[] {
  const tries = [
    { magic: Buffer.from("1f8b", "hex"), open: gunzipSync },
    { magic: Buffer.from("28b52ffd", "hex"), open: zstdDecompressSync },
  ];
  return tries.flatMap(({ magic, open }) => {
    if (bytes.indexOf(magic) !== 0) return [];
    try {
      return [open(bytes)];
    } catch {
      return [];
    }
  });
}

/** As bytes, and in the ways in which JSON, SQL and logs would have written them. */
function forms(bytes: Uint8Array): readonly Buffer[] {
  const buffer = Buffer.from(bytes);
  return [buffer, ...(["hex", "base64", "base64url"] as const).map((form) => Buffer.from(buffer.toString(form)))];
}

function requireAbsent(haystack: Buffer, needles: Readonly<Record<string, Uint8Array>>, where: string): void {
  for (const [name, needle] of Object.entries(needles)) {
    for (const form of forms(needle)) assert.equal(haystack.includes(form), false, `${name} is in ${where}`);
  }
}

async function world(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "tally-privacy-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const plane = await startPlane({ dir: join(folder, "plane"), name: "tally.test/plane", sealIntervalMs: 20 });
  t.after(() => plane.close());
  const authorization = `Bearer ${(await readFile(plane.adminTokenPath, "utf8")).trim()}`;
  const ask = async (path: string, body?: string) => {
    const headers = { authorization, ...(body && { "content-type": "application/json" }) };
    const response = await fetch(plane.url + path, { headers, ...(body && { method: "POST", body }) });
    assert.ok(response.ok, `${path}: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  };
  const trustPath = join(folder, "trust.json");
  await writeFile(trustPath, await ask("/api/v1/trust"));
  const { token } = JSON.parse(new TextDecoder().decode(await ask("/api/v1/enrolment-tokens", "{}"))) as TokenResponse;
  const dir = join(folder, "device");
  await enroll({ dir, url: plane.url, token, trustPath });
  return { dir, plane: join(folder, "plane") };
}

for (const capture of ["none", "full"] as const) {
  test(`with capture ${capture} the plane's disk holds no payload, salt, key, subject, or guess of an output`, async (t) => {
    const { dir, plane } = await world(t);
    const device = await openDevice({ dir, config: { capture } });
    t.after(() => device.close());
    const model = await device.declare({ grade: "declared", runtime: "test", provider: "none" });
    const made: number[] = [];
    for (const output of outputs) {
      const retrievals = [`${secret} retrieved`];
      const { index } = await device.record({ model, input: secret, output, subject, retrievals });
      made.push(index);
      const leaf = await device.core.ledger.leafHash(index);
      await device.label({ record: { origin: device.origin, index, leaf }, content: `${secret} label` });
    }
    await device.erase({ record: made[0]! });
    // What a plane that wanted to know would try.
    const guesses: Record<string, Uint8Array> = { secret: utf8(secret), subject: utf8(subject) };
    guesses["digest of the subject"] = createHash("sha256").update(subject).digest();
    const contents = [secret, `${secret} label`, `${secret} retrieved`, ...outputs];
    for (const content of contents) {
      const digest = sha256(utf8(content));
      guesses[`digest of ${content}`] = digest;
      for (const role of ["input", "output", "label", "retrieval"] as const) {
        for (const [name, salt] of [
          ["zero", new Uint8Array(32)],
          ["its own digest as", digest],
        ] as const) {
          const guess = commit({ role, mediaType: mediaTypes.text, salt, content: digest });
          guesses[`${role} ${content} with ${name} salt`] = guess;
        }
      }
    }
    const { core } = device;
    const salts: Record<string, Uint8Array> = {};
    for (const index of made.slice(1)) {
      const entry = decodeEntry(await core.ledger.entry(index));
      assert.ok(entry.kind === "inference" && entry.retrievals !== undefined);
      for (const { slot } of [entry.input, entry.output, ...entry.retrievals]) {
        const { salt, key } = (await core.salts.find(slot))!;
        salts[`salt of slot ${slot}`] = salt;
        salts[`key of slot ${slot}`] = key;
      }
    }
    await syncRound(device);
    const repeatKey = core.salts.subkey("tally/repeats/v1");
    const keyed = createHash("sha256")
      .update(repeatKey)
      .update(sha256(utf8(secret)))
      .digest();
    const own: Record<string, Uint8Array> = {
      "device key": await readFile(join(core.folder.salts, "device.key")),
      "key of repeats": repeatKey,
      "keyed digest of an input": keyed.subarray(0, 16),
      "keyed digest of the subject": createHmac("sha256", core.salts.subkey("tally/subjects/v1"))
        .update(subject)
        .digest(),
    };

    const found = await everyByte(plane);
    const last = decodeEntry(await core.ledger.entry(made.at(-1)!));
    assert.ok(last.kind === "inference");
    assert.ok(found.includes(last.output.commitment), "the search does not see what the plane does hold");
    requireAbsent(found, { ...guesses, ...salts, ...own }, "the plane's folder");
    // Nor does the ledger say them, or anything on the device in clear but what capture keeps sealed.
    requireAbsent(await everyByte(core.folder.journal), { ...guesses, ...salts, ...own }, "the ledger");
    requireAbsent(await everyByte(dir), guesses, "the device's folder");
  });
}
