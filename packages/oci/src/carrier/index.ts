export { type Carried, type CarriedRoot, type CarrierCheck, inspectCarrier } from "./carried.ts";
export type { CarriedName } from "./carried-name.ts";
export { packCarrier, unpackCarrier } from "./carrier-tar.ts";
export { CarrierWriter } from "./carrier-writer.ts";
