import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, utf8 } from "../bytes.ts";
import {
  formatNote,
  formatSignatureLine,
  formatVkey,
  maxNoteSignatures,
  type NoteSignature,
  noteKey,
  parseNote,
  parseSignatureLines,
  parseVkey,
  verifyNote,
} from "./index.ts";

const invalid = { name: "EvidenceError", code: "note-invalid" };

// The example of C2SP signed-note.
const exampleKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const exampleLine =
  "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
const example = `This is an example message.\n\n${exampleLine}`;
const signature: NoteSignature = { name: "a.example", id: 1, signature: Uint8Array.of(9) };

test("the specification's example verifies with its key", () => {
  const key = parseVkey(exampleKey);
  const note = parseNote(example);
  assert.equal(note.text, "This is an example message.\n");
  assert.deepEqual(verifyNote(note, [key]), [{ key, time: null }]);
  assert.equal(formatVkey(key), exampleKey);
  assert.equal(formatNote(note.text, note.signatures), example);
});

test("the specification's example with another text does not verify", () => {
  const forged = parseNote(example.replace("an example", "a forged"));
  assert.throws(() => verifyNote(forged, [parseVkey(exampleKey)]), { code: "signature-invalid" });
});

test("the text may hold empty lines, since the last one splits the note", () => {
  const text = "Ognuno sta solo\n\n\ned è subito sera.\n";
  const note = parseNote(`${text}\n${formatSignatureLine(signature)}`);
  assert.equal(note.text, text);
  assert.deepEqual(note.signatures, [signature]);
});

test("a note comes back as it was written", () => {
  const fields = {
    name: fc.string({ unit: "grapheme", minLength: 1 }).filter((name) => !/[\p{White_Space}\p{Cc}+]/u.test(name)),
    id: fc.integer({ min: 0, max: 0xffffffff }),
    signature: fc.uint8Array({ minLength: 1, maxLength: 100 }),
  };
  const signatures = fc.array(fc.record(fields, { noNullPrototype: true }), { minLength: 1, maxLength: 20 });
  const texts = fc.string({ unit: "grapheme" }).map((text) => `${text.replace(/\p{Cc}/gu, "\n")}\n`);
  fc.assert(
    fc.property(texts, signatures, (text, lines) => {
      const written = formatNote(text, lines);
      const note = parseNote(utf8(written));
      assert.equal(note.text, text);
      assert.deepEqual(note.signatures, lines);
      assert.deepEqual(note.bytes, parseNote(written).bytes);
    }),
  );
});

test("what is not exactly a note is refused", () => {
  const line = formatSignatureLine(signature);
  const cases = {
    "no signature": "text\n\n",
    "no empty line": `text\n${line}`,
    "no text": line,
    "no last newline": `text\n\n${line.slice(0, -1)}`,
    "a carriage return": `text\r\n\n${line}`,
    "a tab": `te\txt\n\n${line}`,
    "a zero byte in a signature line": `text\n\n${line.replace("a.", "a\0")}`,
    "a hyphen for the dash": `text\n\n${line.replace("—", "-")}`,
    "two spaces": `text\n\n${line.replace("— ", "—  ")}`,
    "a word after the signature": `text\n\n${line.replace("\n", " more\n")}`,
    "a plus in the name": `text\n\n${line.replace("a.", "a+")}`,
    "a no-break space in the name": `text\n\n${line.replace("a.", "a\u00a0")}`,
    "an empty name": `text\n\n${line.replace("a.example", "")}`,
    "base64 without padding": `text\n\n${line.replace("=", "")}`,
    "base64 that is not canonical": `text\n\n— a AAAAAAF=\n`,
    "a key id without a signature": "text\n\n— a AAAAAQ==\n",
    "text after the signatures": `text\n\n${line}more\n`,
    "half of a surrogate pair": `\ud800\n\n${line}`,
    nothing: "",
  };
  for (const [what, note] of Object.entries(cases)) assert.throws(() => parseNote(note), invalid, what);
  const notUtf8 = concatBytes(Uint8Array.of(0xff), utf8(example));
  assert.throws(() => parseNote(notUtf8), invalid);
});

test("a note may have a hundred signatures and no more", () => {
  const many = Array.from({ length: maxNoteSignatures }, (_, id) => ({ ...signature, id }));
  assert.equal(parseNote(formatNote("text\n", many)).signatures.length, maxNoteSignatures);
  const flooded = `${formatNote("text\n", many)}${formatSignatureLine(signature)}`;
  assert.throws(() => parseNote(flooded), invalid);
  assert.throws(() => formatNote("text\n", [...many, signature]), invalid);
});

test("a note over a million bytes is refused", () => {
  assert.throws(() => parseNote(`${"x".repeat(1_000_000)}\n\n${exampleLine}`), invalid);
});

test("a note that could not be read back is not written", () => {
  for (const text of ["", "no newline", "control \x07\n"]) assert.throws(() => formatNote(text, [signature]), invalid);
  assert.throws(() => formatNote("text\n", []), invalid);
  assert.throws(() => formatNote("text\n", [{ ...signature, name: "a b" }]), { code: "key-invalid" });
});

test("signature lines are read on their own, as a witness answers them", () => {
  assert.deepEqual(parseSignatureLines(formatSignatureLine(signature).repeat(2)), [signature, signature]);
  assert.deepEqual(parseSignatureLines(""), []);
  for (const text of ["\n", "x\n", formatSignatureLine(signature).trimEnd(), `\n${formatSignatureLine(signature)}`]) {
    assert.throws(() => parseSignatureLines(text), invalid);
  }
});

test("a verifier key with another id, an unknown type or a damaged key is refused", () => {
  const refused = { name: "EvidenceError", code: "key-invalid" };
  const cases = [
    exampleKey.replace("530d903a", "530d903b"),
    exampleKey.replace("530d903a", "530D903A"),
    exampleKey.replace("530d903a", "0d903a"),
    exampleKey.replace("+AekyeRrm", "+A+kyeRrm"),
    exampleKey.replace("example.com/foo", "example.com/bar"),
    exampleKey.replace("example.com/foo", ""),
    exampleKey.replace("example.com/foo", "example com"),
    exampleKey.slice(0, -1),
    `${exampleKey}\n`,
    "example.com/foo",
    "example.com/foo+530d903a+",
    "example.com/foo+530d903a+BQ==",
    "",
  ];
  for (const vkey of cases) assert.throws(() => parseVkey(vkey), refused, vkey);
  assert.throws(() => noteKey("a", 6, new Uint8Array(32)), refused);
  assert.throws(() => noteKey("a".repeat(256), 6, new Uint8Array(1312)), refused);
});
