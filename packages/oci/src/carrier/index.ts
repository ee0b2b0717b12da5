export { type Carried, type CarrierCheck, inspectCarrier } from "./carried.ts";
export { packCarrier, unpackCarrier } from "./carrier-tar.ts";
export { CarrierWriter } from "./carrier-writer.ts";
