export * from "./check-result.ts";
export * from "./counted.ts";
export * from "./exit-code.ts";
export * from "./printable.ts";
export * from "./progress.ts";
export * from "./settings.ts";
export * from "./terminal.ts";
