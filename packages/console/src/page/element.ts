/** What stands in an element. Text is always text: nothing that a file says can become markup. */
export type Content = Node | string | null | readonly Content[];

type Attributes = Readonly<Record<string, string | number | boolean | null>>;

/** Makes an element. An attribute that is `false` or `null` is left out; `true` is there without a value. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes,
  ...contents: readonly Content[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  append(made, contents);
  return made;
}

/** The element of the page that has this id. @throws Error where the page has none, or one of another kind */
export function byId<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} named ${id}`);
  return found;
}

/** A part of the report under a heading of its own. */
export function section(id: string, title: string, ...contents: readonly Content[]): HTMLElement {
  const heading = `${id}-title`;
  return element("section", { id, "aria-labelledby": heading }, element("h2", { id: heading }, title), ...contents);
}

/** Names with what is to be read beside them. */
export function fieldList(fields: readonly (readonly [name: string, value: Content])[]): HTMLElement {
  return element(
    "dl",
    { class: "fields" },
    fields.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
  );
}

function append(parent: Element, contents: readonly Content[]): void {
  for (const content of contents) {
    if (content === null) continue;
    if (typeof content === "string" || content instanceof Node) parent.append(content);
    else append(parent, content);
  }
}
