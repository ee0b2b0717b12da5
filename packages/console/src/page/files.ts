import { byId } from "./element.ts";
import { bytes } from "./wording.ts";

export interface ChosenFiles {
  readonly bundle: File;
  readonly trust: File;
}

type Slot = keyof ChosenFiles;

/**
 * Takes the two files, picked one by one or dropped anywhere on the page in any order, and tells when both are there.
 * A trust file is JSON and begins with `{`; no bundle does.
 */
export function takeFiles(ready: (files: ChosenFiles) => void): void {
  const chosen: Partial<Record<Slot, File>> = {};
  const take = (slot: Slot, file: File) => {
    chosen[slot] = file;
    byId(`${slot}-state`, HTMLElement).textContent = `${file.name}, ${bytes(file.size)}`;
    byId(`${slot}-slot`, HTMLElement).classList.add("chosen");
  };
  const tell = () => {
    const { bundle, trust } = chosen;
    if (bundle !== undefined && trust !== undefined) ready({ bundle, trust });
  };
  for (const slot of ["bundle", "trust"] as const) {
    const input = byId(`${slot}-file`, HTMLInputElement);
    input.addEventListener("change", () => {
      const [file] = input.files ?? [];
      // The same file, altered meanwhile, can be chosen again.
      input.value = "";
      if (file === undefined) return;
      take(slot, file);
      tell();
    });
  }
  takeDrops(async (files) => {
    for (const file of files) take(await slotOf(file), file);
    tell();
  });
}

function takeDrops(dropped: (files: readonly File[]) => void): void {
  const over = (is: boolean) => document.body.classList.toggle("over", is);
  addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) over(false);
  });
  addEventListener("drop", (event) => {
    // Without this, the browser would leave the page and open the file.
    event.preventDefault();
    over(false);
    dropped([...(event.dataTransfer?.files ?? [])]);
  });
}

async function slotOf(file: File): Promise<Slot> {
  const start = await file.slice(0, 256).text();
  return start.trimStart().startsWith("{") ? "trust" : "bundle";
}
