import { readFileSync } from "node:fs";

// A small answer, with the trust file that it verifies against, written once by a plane. Tests take their expectations
// from what `verifyBundle` says of it, so that any good answer with some pages of records can stand here.

const read = (name: string) => new Uint8Array(readFileSync(new URL(`../testdata/${name}`, import.meta.url)));

export const answerFile = read("answer.tally");
export const trustFile = read("trust.json");
