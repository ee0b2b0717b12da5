import type { Trust } from "@tally/evidence";
import type { Carried, CarriedRoot } from "@tally/oci";

/** What is verified of what was carried here, and by what. */
export interface VerifyCarried {
  readonly carried: Carried;
  readonly root: CarriedRoot;
  readonly trust: Trust;
  /** Age identities, for segments that are encrypted to whoever imports. */
  readonly identities: readonly string[];
  /** An inventory that counts has the same names for it as the layout's index. */
  readonly namesAreSigned: boolean;
  /** A folder for what has to be unpacked in order to be verified. */
  readonly temporary: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}
