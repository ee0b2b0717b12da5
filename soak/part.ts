/** What a part is given. */
export interface Soak {
  /** A folder of its own, which goes when the part is good. */
  readonly folder: string;
  readonly kills: number;
  readonly planeKills: number;
  readonly records: number;
  /** A line for the log and the screen. */
  readonly say: (line: string) => void;
}

/** Throws when something does not hold; gives its figures otherwise. */
export type Part = (soak: Soak) => Promise<object>;

/** @throws Error naming the option that is no count */
export function readOptions(values: Readonly<Record<string, string | boolean | undefined>>) {
  const count = (name: string, usual: number): number => {
    const text = values[name];
    if (text === undefined) return usual;
    if (!/^\d{1,9}$/.test(String(text))) throw new Error(`--${name} is a whole number, not ${String(text)}`);
    return Number(text);
  };
  return {
    kills: count("kills", 1000),
    planeKills: count("plane-kills", 36),
    records: count("records", 9_000_000),
  };
}
