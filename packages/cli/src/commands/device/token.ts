import type { EnrolmentTokenRequest, TokenResponse } from "@tally/evidence";
import { parseDuration, withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import { print, say } from "../../terminal/index.ts";

interface Options extends PlaneFlags {
  readonly name?: string;
  readonly group?: string;
  readonly expires?: number;
}

/** `tally device token`: one token, for one device, once. */
export const token: Register = (program, { terminal }) => {
  const command = program
    .command("token")
    .description("make a one-time token that enrols one device (for administrators)")
    .option("--name <name>", "what people call the device; it stays in the plane's database and is in no log")
    .option("--group <group>", "which devices it belongs to")
    .option("--expires <duration>", "how long it holds, such as 12h; the default is 7d", parseDuration);
  withJson(withPlane(command)).action(async ({ name, group, expires, ...flags }: Options) => {
    const request: EnrolmentTokenRequest = {
      ...(name !== undefined && { name }),
      ...(group !== undefined && { group }),
      ...(expires !== undefined && { expiresIn: expires }),
    };
    const made = await (await connect(terminal, flags)).post<TokenResponse>("/api/v1/enrolment-tokens", request);
    print(terminal, flags.json, made, () => [made.token]);
    say(terminal, `enrols one device until ${new Date(made.expires).toISOString()}`);
  });
};
