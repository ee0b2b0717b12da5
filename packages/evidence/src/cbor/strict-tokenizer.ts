import { type DecodeOptions, type Token, Tokenizer, Type } from "cborg";
import { fromUtf8 } from "../bytes.ts";
import { invalid, maxCborDepth, tooDeep } from "./value.ts";

export const strictDecodeOptions = {
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  strict: true,
  useMaps: true,
  rejectDuplicateMapKeys: true,
  retainStringBytes: true,
} as const satisfies DecodeOptions;

interface Frame {
  readonly isMap: boolean;
  /** Items still to come; a map counts keys and values. */
  left: number;
}

/**
 * cborg's tokenizer, which in addition refuses floats and tags, keys that are neither integer nor text, and nesting
 * beyond `maxCborDepth`. It checks before the decoder recurses, so hostile nesting cannot exhaust the stack.
 */
export class StrictTokenizer extends Tokenizer {
  readonly #open: Frame[] = [];

  constructor(bytes: Uint8Array) {
    super(bytes, strictDecodeOptions);
  }

  override next(): Token {
    const token = super.next();
    const { type } = token;
    this.#enter(type);
    if (Type.equals(type, Type.array)) this.#push(false, token.value);
    else if (Type.equals(type, Type.map)) this.#push(true, token.value * 2);
    else if (Type.equals(type, Type.string)) keepByteOrderMark(token);
    else if (Type.equals(type, Type.float)) throw invalid("floats are written as [exponent, mantissa]");
    else if (Type.equals(type, Type.tag)) throw invalid("tags are not used");
    return token;
  }

  /** Closes what is complete, then counts the item against the innermost list or map that is still open. */
  #enter(type: Type): void {
    let frame = this.#open.at(-1);
    while (frame !== undefined && frame.left === 0) {
      this.#open.pop();
      frame = this.#open.at(-1);
    }
    if (frame === undefined) return;
    const isKey = frame.isMap && frame.left % 2 === 0;
    frame.left -= 1;
    if (isKey && !isKeyType(type)) throw invalid("map keys are integers or text");
  }

  #push(isMap: boolean, left: number): void {
    if (this.#open.length >= maxCborDepth) throw tooDeep();
    this.#open.push({ isMap, left });
  }
}

function isKeyType(type: Type): boolean {
  return Type.equals(type, Type.uint) || Type.equals(type, Type.negint) || Type.equals(type, Type.string);
}

/** @NOTE cborg's text decoder drops a leading U+FEFF; it is part of the text, so read such text again. */
function keepByteOrderMark(token: Token): void {
  const bytes: Uint8Array | undefined = token.byteValue;
  if (bytes?.[0] === 0xef) token.value = fromUtf8(bytes);
}
