import type { RecordStanding } from "@tally/evidence";
import type { AnswerSummary, RecordFilter, RecordRow } from "../worker/messages.ts";
import { element, fieldList, section } from "./element.ts";
import { pager } from "./pager.ts";
import { type Column, table } from "./table.ts";
import type { Verifier } from "./verifier.ts";
import { count, counted, device, epochOf, shortCode, time } from "./wording.ts";

/** Rows that are shown at a time: more than fit a screen, few enough that a page is there at once. */
const pageSize = 25;

const standings: readonly RecordStanding[] = ["inside", "possibly inside", "key revoked"];

/** The records, a page at a time. However many there are, the page only ever holds the rows that it shows. */
export function records(answer: AnswerSummary, verifier: Verifier): HTMLElement {
  let filter: RecordFilter = { origin: null, model: null, standing: null };
  const names = new Map(answer.models.map(({ manifest, repository }) => [manifest as string, repository]));
  const place = element("div", { class: "rows" });
  const pages = pager(pageSize, (from) => void show(from));
  const choose = (change: Partial<RecordFilter>) => {
    filter = { ...filter, ...change };
    void show(0);
  };

  let wanted = 0;
  async function show(from: number): Promise<void> {
    wanted += 1;
    const mine = wanted;
    const found = await verifier.rows(filter, { from, count: pageSize }).catch(whyUnread);
    if (mine !== wanted) return;
    if (found instanceof Error) {
      place.replaceChildren(unread(found));
      return;
    }
    const { total, rows } = found;
    pages.show(from, rows.length, total);
    place.replaceChildren(table(counted(total, "record"), columnsFor(names, verifier), rows));
  }

  const filters = element(
    "div",
    { class: "filters" },
    select(
      "Device",
      answer.ledgers.map(({ origin, inside, possiblyInside, keyRevoked }) => [
        origin,
        `${label(origin)} (${count(inside + possiblyInside + keyRevoked)})`,
      ]),
      (origin) => choose({ origin }),
    ),
    select(
      "Model",
      answer.models.map(({ manifest, repository }) => [manifest, `${repository ?? "model"} ${manifest.slice(7, 19)}…`]),
      (model) => choose({ model }),
    ),
    select(
      "Standing",
      standings.map((standing) => [standing, standing]),
      (standing) => choose({ standing: standing as RecordStanding | null }),
    ),
  );
  void show(0);
  return section(
    "records",
    "Records",
    element(
      "p",
      { class: "quiet" },
      "A record happened between the two proven times. What the device's own clock said is shown and decides nothing. All times are UTC.",
    ),
    answer.erased === 0
      ? null
      : element(
          "p",
          {},
          `Of ${counted(answer.erased, "record")} the device has erased the contents, and says so signed; the proofs stay.`,
        ),
    filters,
    pages.element,
    place,
  );
}

function columnsFor(names: ReadonlyMap<string, string | null>, verifier: Verifier): readonly Column<RecordRow>[] {
  return [
    { title: "Device", cell: ({ origin }) => device(origin) },
    { title: "Entry", cell: ({ index }) => count(index), numeric: true },
    {
      title: "Model",
      cell: ({ model }) => (model === null ? "no manifest" : [`${names.get(model) ?? ""} `, shortCode(model)]),
    },
    { title: "Grade", cell: ({ grade }) => grade },
    { title: "Standing", cell: ({ standing }) => standing },
    { title: "Not before", cell: ({ notBefore }) => rowTime(notBefore) },
    { title: "Not after", cell: ({ notAfter }) => rowTime(notAfter) },
    { title: "Device clock", cell: ({ deviceTime }) => rowTime(deviceTime) },
    { title: "All of it", cell: (row) => opener(row, verifier) },
  ];
}

function opener({ origin, index }: RecordRow, verifier: Verifier): HTMLElement {
  const button = element(
    "button",
    { type: "button", "aria-expanded": "false", "aria-label": `Details of entry ${index}` },
    "Details",
  );
  button.addEventListener("click", async () => {
    const row = button.closest("tr")!;
    if (button.getAttribute("aria-expanded") === "true") {
      row.nextElementSibling?.remove();
      button.setAttribute("aria-expanded", "false");
      return;
    }
    button.setAttribute("aria-expanded", "true");
    const fields = await verifier.record(origin, index).catch(whyUnread);
    if (button.getAttribute("aria-expanded") !== "true" || row.nextElementSibling?.className === "opened") return;
    row.after(
      element(
        "tr",
        { role: "row", class: "opened" },
        element(
          "td",
          { role: "cell", colspan: row.childElementCount },
          fields instanceof Error ? unread(fields) : fieldList(fields),
        ),
      ),
    );
  });
  return button;
}

const whyUnread = (error: Error): Error => error;

/** The file is read again for each page: it can be gone, or another one, by then. */
function unread(error: Error): HTMLElement {
  return element("p", { class: "unread", role: "alert" }, `These records cannot be read any more: ${error.message}`);
}

function select(
  name: string,
  options: readonly (readonly [value: string, text: string])[],
  chosen: (value: string | null) => void,
): HTMLElement {
  const made = element(
    "select",
    {},
    element("option", { value: "" }, "all"),
    options.map(([value, text]) => element("option", { value }, text)),
  );
  made.addEventListener("change", () => chosen(made.value === "" ? null : made.value));
  return element("label", {}, `${name} `, made);
}

/** Every time of the table is UTC; said once, above it. */
function rowTime(ms: number | null): string {
  return time(ms, "unbounded").replace(" UTC", "");
}

function label(origin: string): string {
  const { id, epoch } = epochOf(origin);
  return epoch === "0" ? `${id.slice(0, 12)}…` : `${id.slice(0, 12)}… epoch ${epoch}`;
}
