import { byId } from "./element.ts";
import { count } from "./wording.ts";

/** Shows how far a verification is; says it aloud only at its beginning and at each quarter. */
export class Progress {
  readonly #box = byId("progress", HTMLElement);
  readonly #bar = byId("progress-bar", HTMLProgressElement);
  readonly #text = byId("progress-text", HTMLElement);
  readonly #aloud = byId("progress-aloud", HTMLElement);
  #quarter = 0;

  begin(): void {
    this.#quarter = 0;
    this.#bar.removeAttribute("value");
    this.#text.textContent = "Reading the files";
    this.#aloud.textContent = "Verifying";
    this.#box.hidden = false;
  }

  show(done: number, of: number, checks: number): void {
    const share = of === 0 ? 0 : done / of;
    this.#bar.value = share;
    const percent = `${Math.floor(share * 100)}%`;
    this.#text.textContent =
      checks === 0 ? `${percent}: is the file whole?` : `${percent}: what does it prove? ${count(checks)} checks made`;
    const quarter = Math.floor(share * 4);
    if (quarter > this.#quarter) this.#aloud.textContent = `${quarter * 25}%`;
    this.#quarter = quarter;
  }

  end(): void {
    this.#box.hidden = true;
    this.#aloud.textContent = "";
  }
}
