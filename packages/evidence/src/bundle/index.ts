export { bundleFormat } from "./layout.ts";
export * from "./member.ts";
export * from "./question.ts";
export { type Bundle, BundleDamage, type BundleMember, readBundle } from "./read.ts";
export { writeBundle } from "./write.ts";
