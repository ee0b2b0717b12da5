/** One thing that was looked at. Without what is required nothing is taken in. */
export interface CarryCheck {
  readonly name: string;
  readonly about: string;
  readonly result: "good" | "bad" | "not made";
  readonly reason: string;
  readonly required: boolean;
}

/** Tells of a check; it is required unless said otherwise. */
export type NoteCheck = (
  name: string,
  about: string,
  result: CarryCheck["result"],
  reason: string,
  required?: boolean,
) => void;
