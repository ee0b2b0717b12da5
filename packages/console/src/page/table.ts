import { type Content, element } from "./element.ts";

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => Content;
  /** Numbers stand at the right. */
  readonly numeric?: boolean;
}

/**
 * A table that a narrow page shows as one card a row. Roles are written out, since a browser drops a table's own when
 * its parts are laid out otherwise.
 */
export function table<Row>(caption: string, columns: readonly Column<Row>[], rows: readonly Row[]): HTMLElement {
  const head = columns.map(({ title, numeric }) =>
    element("th", { scope: "col", role: "columnheader", class: numeric ? "number" : null }, title),
  );
  return element(
    "table",
    { role: "table" },
    element("caption", {}, caption),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, head)),
    element(
      "tbody",
      { role: "rowgroup" },
      rows.map((row) => tableRow(columns, row)),
    ),
  );
}

export function tableRow<Row>(columns: readonly Column<Row>[], row: Row): HTMLElement {
  const cells = columns.map(({ title, cell, numeric }) =>
    element(
      "td",
      { role: "cell", class: numeric ? "number" : null },
      element("span", { class: "label", "aria-hidden": "true" }, title),
      element("span", { class: "value" }, cell(row)),
    ),
  );
  return element("tr", { role: "row" }, cells);
}
