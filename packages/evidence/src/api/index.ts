export * from "./access.ts";
export * from "./enrolment.ts";
export * from "./entry-requests.ts";
export * from "./quarantines.ts";
export * from "./registry.ts";
export * from "./releases.ts";
export * from "./statements.ts";
export * from "./status.ts";
