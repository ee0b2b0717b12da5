export { ImageLayout } from "./image-layout.ts";
export { refNameAnnotation } from "./layout-index.ts";
