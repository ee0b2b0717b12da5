import { CliError, exitCodes, usageError } from "../../terminal/index.ts";
import { type NativeMemory, nativeMemory } from "./native-memory.ts";
import { nameOfReturnValue, rv } from "./return-values.ts";

/** The functions that are used, with their places in CK_FUNCTION_LIST (PKCS #11 v2.40, 4.2) and their parameters. */
const functions = {
  C_Initialize: [0, "p"],
  C_Finalize: [1, "p"],
  C_GetInfo: [2, "p"],
  C_GetSlotList: [4, "bpp"],
  C_GetSlotInfo: [5, "up"],
  C_GetTokenInfo: [6, "up"],
  C_OpenSession: [12, "uuppp"],
  C_CloseSession: [13, "u"],
  C_Login: [18, "uupu"],
  C_GetAttributeValue: [24, "uupu"],
  C_FindObjectsInit: [26, "upu"],
  C_FindObjects: [27, "upup"],
  C_FindObjectsFinal: [28, "u"],
  C_SignInit: [42, "upu"],
  C_Sign: [43, "upupp"],
} as const satisfies Record<string, readonly [number, string]>;
export type CryptokiFunction = keyof typeof functions;

const types: Readonly<Record<string, string>> = { p: "void *", u: "unsigned long", b: "uint8_t" };

/** A PKCS #11 library in this process. */
export interface Cryptoki {
  /** Calls a function on another thread: a token may take its time, and a person may have to touch it. @returns its CK_RV */
  call(name: CryptokiFunction, ...args: readonly (number | bigint)[]): Promise<number>;
  /** Memory that the library may write to. */
  readonly memory: () => NativeMemory;
  /** Lets go of the library. Not for use afterwards. */
  close(): Promise<void>;
}

interface Loaded {
  readonly call: Cryptoki["call"];
  readonly memory: () => NativeMemory;
  users: number;
}

/** One library is initialized once in a process, however many keys of it are open. */
const libraries = new Map<string, Promise<Loaded>>();

/**
 * Loads a PKCS #11 library and initializes it.
 *
 * @throws CliError usage where it is none, or where this machine has no way to call it
 */
export async function openCryptoki(path: string): Promise<Cryptoki> {
  const loading = libraries.get(path) ?? load(path);
  libraries.set(path, loading);
  let loaded: Loaded;
  try {
    loaded = await loading;
  } catch (error) {
    libraries.delete(path);
    throw error;
  }
  loaded.users += 1;
  let open = true;
  const close = async () => {
    if (!open) return;
    open = false;
    loaded.users -= 1;
    if (loaded.users > 0 || libraries.get(path) !== loading) return;
    libraries.delete(path);
    await loaded.call("C_Finalize", 0n);
  };
  return { call: loaded.call, memory: loaded.memory, close };
}

async function load(path: string): Promise<Loaded> {
  const koffi = await foreignFunctions();
  const memory = () => nativeMemory(koffi);
  const at = listOfFunctions(koffi, path);
  const known = Object.fromEntries(
    Object.entries(functions).map(([name, [place, parameters]]) => {
      const type = koffi.proto(
        "unsigned long",
        [...parameters].map((letter) => types[letter]!),
      );
      // CK_FUNCTION_LIST is a CK_VERSION, padded to a pointer, and then pointers.
      const pointer = koffi.decode(at, 8 + place * 8, "void *") as bigint | null;
      if (!pointer) throw usageError(`${path} has no ${name}`, "is it a PKCS #11 library for signing?");
      return [name, koffi.decode(pointer, type)];
    }),
  );
  const call: Cryptoki["call"] = (name, ...args) =>
    new Promise((resolve, reject) => {
      known[name].async(...args, (error: unknown, result: number | bigint) => {
        if (error) reject(error);
        else resolve(Number(result));
      });
    });
  using scratch = memory();
  // CK_C_INITIALIZE_ARGS: four functions, flags, reserved. Calls come from several threads: the system's locks are to be used.
  const args = scratch.block(48);
  new DataView(args.bytes.buffer).setBigUint64(32, 2n, true);
  const result = await call("C_Initialize", args.address);
  if (result !== rv.ok && result !== rv.alreadyInitialized) {
    throw new CliError(exitCodes.usage, `${path} cannot be initialized: ${nameOfReturnValue(result)}`, {
      hint: "is it set up? SoftHSM, for one, reads the file that SOFTHSM2_CONF names",
    });
  }
  return { call, memory, users: 0 };
}

type Koffi = typeof import("koffi");

async function foreignFunctions(): Promise<Koffi> {
  if (process.platform === "win32") {
    throw usageError(
      "keys in PKCS #11 tokens cannot be used on Windows",
      "its libraries lay their memory out otherwise",
    );
  }
  try {
    return await import("koffi");
  } catch (cause) {
    throw usageError(
      "the npm package koffi, which calls PKCS #11 libraries, is not installed for this machine",
      "npm install koffi; where it has no build for your platform, use a key in a file",
      cause,
    );
  }
}

/** Libraries are never unloaded: functions that are pointed to would go with the last reference, and their threads with them. */
const kept: object[] = [];

/** Where the library's list of functions lies. */
function listOfFunctions(koffi: Koffi, path: string): bigint {
  try {
    const library = koffi.load(path, { lazy: true });
    kept.push(library);
    const getFunctionList = library.func("C_GetFunctionList", "unsigned long", ["void *"]);
    using memory = nativeMemory(koffi);
    const out = memory.block(8);
    const result = Number(getFunctionList(out.address));
    if (result !== rv.ok) throw new Error(`C_GetFunctionList answered ${nameOfReturnValue(result)}`);
    return new DataView(out.bytes.buffer).getBigUint64(0, true);
  } catch (cause) {
    const why = (cause as Error).message.split("\n")[0]!;
    throw usageError(`${path} cannot be used as a PKCS #11 library: ${why}`, "check module-path", cause);
  }
}
