import type { Summary } from "../worker/messages.ts";
import { element, fieldList, section } from "./element.ts";
import { bytes, code, list } from "./wording.ts";

/** What was believed without proof, and which files these were. */
export function trust({ trust: file, bundle }: Summary): HTMLElement {
  return section(
    "trust",
    "What this rests on",
    element("p", {}, "Whoever wrote the trust file decides what is believed. Make sure that it is yours."),
    fieldList([
      ["Plane", file.plane],
      ["Signatures", `${list(file.algorithms, "any that the keys make")}, all of them on every checkpoint`],
      ["Witnesses", list(file.witnesses, "none")],
      ["Quorum", file.quorum.map((line) => element("div", {}, code(line)))],
      [
        "People",
        file.identities.map(({ name, may, repositories }) =>
          element("div", {}, element("strong", {}, name), ` may ${may} in ${repositories}`),
        ),
      ],
      ["Limits", file.limits.map((limit) => element("div", {}, limit))],
      ["Trust file", [code(file.digest), ` ${bytes(file.size)}`]],
      ["Bundle", [code(bundle.digest), ` ${bytes(bundle.size)}`]],
    ]),
  );
}
