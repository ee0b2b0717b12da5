import { compareBytes, utf8 } from "@tally/evidence";
import { OciError } from "../error.ts";

const longestName = 1024;
const longestPart = 255;

/** Whatever follows the dot (Windows, "Naming Files, Paths, and Namespaces"). */
const devices = /^(con|prn|aux|nul|com[1-9\u00b9\u00b2\u00b3]|lpt[1-9\u00b9\u00b2\u00b3])(\.|$)/i;

/**
 * Checks the name of a file in an archive: relative, forward slashes, no empty part, no `.` or `..`, no control characters.
 * Backslashes and drive letters are refused too, because on some systems they are paths. Throws `archive-invalid`.
 */
export function checkEntryName(name: string): string {
  if (name === "") throw unsafe(name, "is empty");
  if (!name.isWellFormed() || name.includes("\ufffd")) throw unsafe(name, "is not valid UTF-8");
  if (name.startsWith("/")) throw unsafe(name, "is absolute");
  if (/^[A-Za-z]:/.test(name)) throw unsafe(name, "begins with a drive letter");
  if (name.includes("\\")) throw unsafe(name, "has a backslash, which some systems take for a slash");
  if (/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(name)) throw unsafe(name, "has a control character");
  if (utf8(name).length > longestName) throw unsafe(name, `has more than ${longestName} bytes`);
  for (const part of name.split("/")) {
    if (part === "") throw unsafe(name, "has an empty part");
    if (part === "." || part === "..") throw unsafe(name, `has the part ${part}`);
    if (/[. ]$/.test(part))
      throw unsafe(name, "has a part that ends in a dot or a space, which some systems leave out");
    if (part.includes("::")) throw unsafe(name, "has two colons, by which some systems name a file's own content");
    if (devices.test(part)) throw unsafe(name, "is a device on some systems");
    if (utf8(part).length > longestPart) throw unsafe(name, `has a part of more than ${longestPart} bytes`);
  }
  return name;
}

/** Orders by UTF-8 bytes, which is the order of Unicode code points. */
export function compareNames(a: string, b: string): number {
  return compareBytes(utf8(a), utf8(b));
}

/**
 * The names that one destination has received. It refuses a name that comes twice, a file where a folder is, and names that
 * differ only in upper and lower case, in Unicode composition or in characters that nobody sees: on some file systems they are one file.
 */
export class EntryNames {
  readonly #spelling = new Map<string, { readonly name: string; readonly isFile: boolean }>();

  addFile(name: string): void {
    this.#addFolders(name);
    const before = this.#spelling.get(folded(name));
    if (before?.name === name) throw unsafe(name, before.isFile ? "comes twice" : "is a folder and a file");
    if (before !== undefined) throw collision(name, before.name);
    this.#spelling.set(folded(name), { name, isFile: true });
  }

  /** A folder may be named any number of times. */
  addFolder(name: string): void {
    this.#addFolders(`${name}/`);
  }

  #addFolders(path: string): void {
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      const name = path.slice(0, slash);
      const before = this.#spelling.get(folded(name));
      if (before === undefined) this.#spelling.set(folded(name), { name, isFile: false });
      else if (before.name !== name) throw collision(name, before.name);
      else if (before.isFile) throw unsafe(name, "is a file and a folder");
    }
  }
}

/** Characters that nobody sees are passed over by some file systems. */
function folded(name: string): string {
  return name
    .normalize("NFC")
    .replace(/\p{Default_Ignorable_Code_Point}/gu, "")
    .toLowerCase()
    .toUpperCase();
}

function collision(name: string, other: string): OciError {
  return unsafe(name, `is the same name as ${JSON.stringify(other)} on some file systems`);
}

function unsafe(name: string, why: string): OciError {
  return new OciError("archive-invalid", `the name ${JSON.stringify(name.slice(0, 200))} ${why}`);
}
