/** What the doctor found of one thing, and what to do where it is bad. */
export interface Finding {
  readonly name: string;
  readonly result: "good" | "bad" | "not made";
  readonly message: string;
  readonly next?: string;
}

export function good(name: string, message: string): Finding {
  return { name, result: "good", message };
}

export function bad(name: string, message: string, next: string): Finding {
  return { name, result: "bad", message, next };
}

/** Nothing was looked at, because nothing is there to look at. */
export function notMade(name: string, message: string): Finding {
  return { name, result: "not made", message };
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
