import { EvidenceError } from "../error.ts";

/** Why a file is not an intact bundle, with the byte offset where it first shows. */
export class BundleDamage extends EvidenceError {
  readonly offset: number;
  /** What stands at the offset: "header", "member 12 (entries)", "member list", "trailer". */
  readonly where: string;

  constructor(where: string, offset: number, what: string, cause?: unknown) {
    super("bundle-damaged", `${where} at byte ${offset}: ${what}`, {
      cause,
      hint: "the file was altered or cut after it was written: fetch it again, or ask its sender for another copy",
    });
    this.where = where;
    this.offset = offset;
  }
}
