export { createOutsideRegistry, type OutsideRegistry, type OutsideRegistryOptions } from "./outside-registry.ts";
