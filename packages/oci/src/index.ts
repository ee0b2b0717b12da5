export * from "./client/index.ts";
export * from "./error.ts";
export * from "./layout/index.ts";
export * from "./modelkit/index.ts";
export * from "./registry/index.ts";
export * from "./signing/index.ts";
export * from "./storage/index.ts";
export * from "./tar/index.ts";
