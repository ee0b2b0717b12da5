import { EdgeError } from "../error.ts";
import type { ValueShape, WireTensor } from "./onnx-protocol.ts";

/**
 * Whether feeds are what a model takes: every input, no other name, each of its type and with its dimensions. Dimensions with
 * a name, or none, take any size.
 *
 * @throws EdgeError `content-invalid` naming the input, what was given, and what the model takes
 */
export function requireFit(feeds: readonly WireTensor[], inputs: readonly ValueShape[]): void {
  for (const { name } of feeds) {
    if (!inputs.some((input) => input.name === name)) throw unfit(`the model has no input ${name}`, inputs);
  }
  for (const input of inputs) {
    const feed = feeds.find(({ name }) => name === input.name);
    if (feed === undefined) throw unfit(`there is no tensor for the input ${input.name}`, inputs);
    if (input.type === "none") continue;
    const fits =
      feed.type === input.type &&
      feed.dims.length === input.shape.length &&
      input.shape.every((size, i) => typeof size === "string" || size < 0 || size === feed.dims[i]);
    if (!fits) throw unfit(`tensor ${feed.name} is ${feed.type} [${feed.dims.join(", ")}]`, inputs);
  }
}

function unfit(what: string, inputs: readonly ValueShape[]): EdgeError {
  const takes = inputs.map(({ name, type, shape }) => `${name}: ${type} [${shape.join(", ")}]`).join("; ");
  return new EdgeError("content-invalid", what, { hint: `the model takes ${takes}` });
}
