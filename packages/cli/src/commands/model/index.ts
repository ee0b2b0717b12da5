import type { Register } from "../../register.ts";
import { pack } from "./pack.ts";
import { pull } from "./pull.ts";
import { push } from "./push.ts";
import { register } from "./register.ts";
import { sign } from "./sign.ts";
import { verify } from "./verify.ts";

/** `tally model`: models as ModelKits, signed by OpenSSF Model Signing, in any OCI registry. */
export const model: Register = (program, context) => {
  const group = program.command("model").description("sign, pack, push, pull and verify models");
  for (const add of [sign, pack, push, register, pull, verify]) add(group, context);
};
