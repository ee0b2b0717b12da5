import { compareBytes, utf8 } from "@tally/evidence";
import { OciError } from "../error.ts";

const longestName = 1024;
const longestPart = 255;

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
  if (/\p{Cc}/u.test(name)) throw unsafe(name, "has a control character");
  if (utf8(name).length > longestName) throw unsafe(name, `has more than ${longestName} bytes`);
  for (const part of name.split("/")) {
    if (part === "") throw unsafe(name, "has an empty part");
    if (part === "." || part === "..") throw unsafe(name, `has the part ${part}`);
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
 * differ only in upper and lower case or in Unicode composition: on some file systems they are one file.
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

function folded(name: string): string {
  return name.normalize("NFC").toLowerCase().toUpperCase();
}

function collision(name: string, other: string): OciError {
  return unsafe(name, `is the same name as ${JSON.stringify(other)} on some file systems`);
}

function unsafe(name: string, why: string): OciError {
  return new OciError("archive-invalid", `the name ${JSON.stringify(name.slice(0, 200))} ${why}`);
}
