export { encodeJson, type JsonObject, type JsonValue, parseJson } from "./i-json.ts";
