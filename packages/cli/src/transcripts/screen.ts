/** Patterns of placeholders, by their last word: `<model digest>` and `<digest>` are digests. */
const kinds: Readonly<Record<string, string>> = {
  digest: "sha256:[0-9a-f]{64}",
  key: "[0-9a-f]{64}",
  device: "[0-9a-f]{32}",
  leaf: "[0-9a-f]{64}",
  token: "tly_[A-Za-z0-9_-]{20,}",
  time: "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?Z",
  vkey: "\\S+\\+[0-9a-f]{8}\\+[A-Za-z0-9+/=]+",
  n: "\\d+",
  any: ".+",
};

const placeholder = /<((?:[a-z0-9]+ )*([a-z]+))>/g;

/**
 * What placeholders stand for so far. One with a name, such as `<model digest>`, is the same wherever it stands again; one
 * without, such as `<digest>`, is whatever is there.
 */
export class Bindings {
  readonly #values = new Map<string, string>();

  bind(name: string, value: string): void {
    this.#values.set(name, value);
  }

  /** A command, with the values of its placeholders. */
  fill(command: string): string {
    return command.replace(placeholder, (whole, name: string, kind: string) => {
      const value = this.#values.get(name);
      if (value === undefined && kind in kinds) throw new Error(`${whole} was not seen before this command`);
      return value ?? whole;
    });
  }

  /** Whether the screen shows what was expected; binds what it meets. @returns what differs, or undefined */
  match(expected: readonly string[], actual: readonly string[]): string | undefined {
    const names: string[] = [];
    const source = expected.map((line) => (line === "..." ? "(?:.*\\n)*?" : `${this.#lineSource(line, names)}\\n`));
    const found = new RegExp(`^${source.join("")}$`).exec(actual.map((line) => `${line.trimEnd()}\n`).join(""));
    if (found === null) return difference(expected, actual);
    for (const [i, name] of names.entries()) this.#values.set(name, found[i + 1]!);
    return undefined;
  }

  #lineSource(line: string, names: string[]): string {
    let source = "";
    let at = 0;
    for (const found of line.matchAll(placeholder)) {
      source += literal(line.slice(at, found.index)) + this.#placeholderSource(found, names);
      at = found.index + found[0].length;
    }
    const rest = line.slice(at);
    return source + (rest.endsWith("...") ? `${literal(rest.slice(0, -3))}.*` : literal(rest));
  }

  #placeholderSource([whole, name = "", kind = ""]: RegExpExecArray, names: string[]): string {
    const known = this.#values.get(name);
    if (known !== undefined) return literal(known);
    const pattern = kinds[kind];
    if (pattern === undefined) return literal(whole);
    // Usage lines have such words themselves: `--to <time>`.
    if (name === kind) return `(?:${pattern}|${literal(whole)})`;
    const before = names.indexOf(name);
    if (before >= 0) return `\\${before + 1}`;
    names.push(name);
    return `(${pattern})`;
  }
}

// Columns are padded to what is in them, which differs from run to run: any run of spaces is any other.
function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&").replace(/ {2,}/g, " {2,}");
}

function difference(expected: readonly string[], actual: readonly string[]): string {
  return ["expected", ...expected.map((line) => `  ${line}`), "found", ...actual.map((line) => `  ${line}`)].join("\n");
}
