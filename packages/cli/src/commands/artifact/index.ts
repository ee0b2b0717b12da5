import type { Register } from "../../register.ts";
import { attest } from "./attest.ts";
import { sign } from "./sign.ts";
import { verify } from "./verify.ts";

/** `tally artifact`: signatures and attestations on anything in the registry, as cosign and notation read and write them. */
export const artifact: Register = (program, context) => {
  const group = program.command("artifact").description("sign, attest and verify artifacts as cosign and notation do");
  for (const register of [sign, attest, verify]) register(group, context);
};
