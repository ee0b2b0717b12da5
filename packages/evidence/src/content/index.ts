export { type CommitmentInput, type CommitmentRole, commit, commitText } from "./commitment.ts";
export { decodeTensors } from "./decode-tensors.ts";
export { encodeTensors } from "./encode-tensors.ts";
export { encodeJson, type JsonObject, type JsonValue, parseJson } from "./i-json.ts";
export { type RawTensorType, tensorTypeBits } from "./tensor-types.ts";
export {
  littleEndianBytes,
  maxTensorDepth,
  type NamedTensor,
  type RawTensor,
  type StringTensor,
  type TensorMap,
  type TensorSequence,
  type TensorValue,
} from "./tensors.ts";
export { decodeJson, decodeText, encodeText, mediaTypes } from "./text.ts";
