export { answer } from "./answer.ts";
export type * from "./source.ts";
