import { element } from "./element.ts";
import { count } from "./wording.ts";

export interface Pager {
  readonly element: HTMLElement;
  /** Says where the reader is, once it is known. */
  show(from: number, rows: number, total: number): void;
}

/** Buttons that move through rows, `size` at a time. `go` is given the first row that is wanted. */
export function pager(size: number, go: (from: number) => void): Pager {
  let at = 0;
  let last = 0;
  const button = (name: string, target: () => number) => {
    const made = element("button", { type: "button" }, name);
    made.addEventListener("click", () => go(target()));
    return made;
  };
  const first = button("First", () => 0);
  const previous = button("Previous", () => Math.max(0, at - size));
  const next = button("Next", () => Math.min(last, at + size));
  const end = button("Last", () => last);
  const place = element("p", { class: "place", role: "status" });
  const made = element(
    "nav",
    { class: "pager", "aria-label": "Pages of the records" },
    first,
    previous,
    place,
    next,
    end,
  );
  return {
    element: made,
    show: (from, rows, total) => {
      at = from;
      last = total === 0 ? 0 : Math.floor((total - 1) / size) * size;
      place.textContent = total === 0 ? "no records" : `${count(from + 1)} to ${count(from + rows)} of ${count(total)}`;
      // A button that is disabled while it has the focus would lose it.
      for (const back of [first, previous]) back.setAttribute("aria-disabled", String(from === 0));
      for (const forth of [next, end]) forth.setAttribute("aria-disabled", String(from >= last));
      made.hidden = total <= size;
    },
  };
}
