export * from "./run-state.ts";
