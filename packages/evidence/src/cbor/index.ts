export { decodeCbor, decodeCborFirst, decodeCborSequence } from "./decode.ts";
export { encodeCbor } from "./encode.ts";
export { type CborMap, type CborValue, isCborList, isCborMap, maxCborDepth } from "./value.ts";
