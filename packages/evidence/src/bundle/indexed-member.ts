import type { Hash } from "../digest.ts";
import type { MemberPlace, MemberType } from "./member.ts";

/** A member as it is known without its content: where it stands, and what it is sorted by. */
export interface IndexedMember {
  readonly type: MemberType;
  /** Offset in the file of the first byte of its content. */
  readonly offset: number;
  readonly length: number;
  /** SHA-256 of its content. */
  readonly digest: Hash;
  readonly place: MemberPlace;
}

/** A member as it is framed in the file. Its place is missing where its content has not the form of its type. */
export interface Framed extends Omit<IndexedMember, "place"> {
  /** Offset of the byte that its frame begins with. */
  readonly start: number;
  readonly place: MemberPlace | undefined;
}
