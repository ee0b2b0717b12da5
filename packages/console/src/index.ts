export { buildPageApart } from "./build/apart.ts";
export { BuildError, type BuildErrorCode } from "./build/error.ts";
export { buildPage } from "./build/page.ts";
