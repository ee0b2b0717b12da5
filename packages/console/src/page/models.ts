import type { DataOrigin, ModelAnswer } from "@tally/evidence";
import { element, fieldList, section } from "./element.ts";
import { bytes, code, count, counted, list } from "./wording.ts";

/** Every model of the answer: what it did, who stands behind it, and what it was made from. */
export function models(found: readonly ModelAnswer[]): HTMLElement {
  if (found.length === 0)
    return section("models", "Models", element("p", { class: "quiet" }, "No model is in the answer."));
  return section("models", "Models", ...found.map(card));
}

function card(model: ModelAnswer): HTMLElement {
  const { manifest, repository, files, signedBy, approvedBy, releases, origin } = model;
  const released = releases.map(({ channel, sequence, by }) => `${channel} number ${sequence}, by ${by.join(", ")}`);
  return element(
    "article",
    { class: "card" },
    element("h3", {}, repository ?? "a model that no statement describes"),
    element("p", {}, code(manifest)),
    element(
      "p",
      { class: "lead" },
      `${counted(model.inside, "record")} proven inside the interval on ${counted(model.devices, "device")}`,
      model.possiblyInside === 0 ? null : `, ${count(model.possiblyInside)} more possibly inside`,
    ),
    fieldList([
      ["Signed by", list(signedBy, "nobody proven")],
      ["Approved by", list(approvedBy, "nobody proven")],
      ["Released as", list(released, "nothing proven")],
      ["Trained by", list(origin.trainedBy, "nobody proven")],
      ["From data", origin.data.length === 0 ? "nothing stated" : origin.data.map(dataOf)],
      [
        "From models",
        origin.parents.length === 0 ? "none stated" : origin.parents.map((parent) => element("div", {}, code(parent))),
      ],
    ]),
    files.length === 0
      ? null
      : element(
          "details",
          {},
          element("summary", {}, counted(files.length, "file")),
          fieldList(files.map(({ name, digest, size }) => [name, [code(digest), ` ${bytes(size)}`]])),
        ),
  );
}

function dataOf({ name, digest, source, license, segments }: DataOrigin): HTMLElement {
  const from = source ?? "no signed source";
  return element(
    "div",
    { class: "data" },
    `${name}: ${from}`,
    license === null ? null : `, ${license}`,
    segments.length === 0 ? null : `, ${counted(segments.length, "segment")} of device ledgers`,
    element("br", {}),
    code(digest),
  );
}
