// What the demo tells: a heading for each step, a line for each thing that happened, and every figure kept for demo.json.

/** Prints the story and gathers its figures. */
export class Story {
  readonly #began = Date.now();
  readonly #figures: { readonly name: string; readonly value: number | string; readonly unit?: string }[] = [];
  readonly #steps: { readonly step: number; readonly title: string; readonly seconds: number }[] = [];

  heading(step: number, title: string): void {
    const seconds = Math.round((Date.now() - this.#began) / 100) / 10;
    this.#steps.push({ step, title, seconds });
    process.stdout.write(`\n${step}. ${title}\n`);
  }

  line(text: string): void {
    process.stdout.write(`   ${text}\n`);
  }

  /** Prints a figure within a line and keeps it. */
  figure(name: string, value: number | string, unit?: string): string {
    this.#figures.push({ name, value, ...(unit !== undefined && { unit }) });
    return unit === undefined ? String(value) : `${value} ${unit}`;
  }

  get seconds(): number {
    return Math.round((Date.now() - this.#began) / 100) / 10;
  }

  /** Everything printed, for machines. */
  toJson(): unknown {
    return { seconds: this.seconds, steps: this.#steps, figures: this.#figures };
  }
}

/** A digest short enough for a line; demo.json and the bundle have it whole. */
export function short(digest: string): string {
  return `${digest.slice(0, 19)}…`;
}
