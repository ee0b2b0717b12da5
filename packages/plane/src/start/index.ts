export type { PlaneOptions } from "./plane-options.ts";
export { type Plane, startPlane } from "./start-plane.ts";
