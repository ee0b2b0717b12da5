export type { Listing, ListLimits, ListOptions } from "./list-referrers.ts";
export { RegistryClient, type RegistryClientOptions } from "./registry-client.ts";
