export type { AccessRefused, PushEvent, RegistryAction, RegistryLimits, RegistryOptions } from "./options.ts";
export { createRegistry, type Registry } from "./registry.ts";
