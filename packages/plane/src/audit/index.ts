export { type AnswerDetail, answer } from "./answer.ts";
export { AnswerSpool, type AnswerSpoolOptions, type SpooledAnswer } from "./answer-spool.ts";
export { coseReceipt } from "./cose-receipt.ts";
export type * from "./source.ts";
