import { digestOf, parseTrust } from "@tally/evidence";
import { withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import type { Register } from "../register.ts";
import { say } from "../terminal/index.ts";

/** `tally trust show`: the trust file as the plane itself would write it. */
export const trust: Register = (program, { terminal }) => {
  const group = program
    .command("trust")
    .summary("what a verifier believes without proof")
    .description("trust files: all that a verifier believes without proof");
  const show = group
    .command("show")
    .description(
      "print the plane's own trust file; whoever uses it compares its digest with the operator's, out of band",
    );
  withPlane(show).action(async (flags: PlaneFlags) => {
    const bytes = await (await connect(terminal, flags)).bytes("/api/v1/trust");
    const { plane, identities, keyless } = parseTrust(bytes);
    terminal.stdout.write(new TextDecoder().decode(bytes));
    say(
      terminal,
      `trust file of ${plane.name} with ${identities.length + keyless.length} identities, ${digestOf(bytes)}`,
    );
    say(
      terminal,
      "it came from the plane that it vouches for: compare this digest with the operator by another way before you rely on it",
    );
  });
};
