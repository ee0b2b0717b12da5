import { type Role, roles, type TokenRequest, type TokenResponse } from "@tally/evidence";
import { InvalidArgumentError } from "commander";
import { parseDuration, withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import type { Register } from "../register.ts";
import { print, say } from "../terminal/index.ts";

const grantable = roles.filter((role) => role !== "device");

interface Options extends PlaneFlags {
  readonly role: Exclude<Role, "device">;
  readonly repository?: string;
  readonly expires?: number;
  readonly note?: string;
}

/** `tally token create`: access for a person or a program. Tokens grant access, never trust. */
export const token: Register = (program, { terminal }) => {
  const group = program
    .command("token")
    .summary("access tokens of the plane")
    .description("access tokens of the plane (for administrators)");
  const create = group
    .command("create")
    .description("make an access token; it is shown this once")
    .requiredOption("--role <role>", grantable.join(", "), parseRole)
    .option("--repository <pattern>", "only these repositories; * is any run of characters")
    .option("--expires <duration>", "how long it holds, such as 12h or 30d; the default is 30d", parseDuration)
    .option("--note <text>", "what it is for");
  withJson(withPlane(create)).action(async ({ role, repository, expires, note, ...flags }: Options) => {
    const request: TokenRequest = {
      role,
      ...(repository !== undefined && { repository }),
      ...(expires !== undefined && { expiresIn: expires }),
      ...(note !== undefined && { note }),
    };
    const made = await (await connect(terminal, flags)).post<TokenResponse>("/api/v1/tokens", request);
    print(terminal, flags.json, made, () => [made.token]);
    say(terminal, `${role} until ${new Date(made.expires).toISOString()}`);
  });
};

function parseRole(text: string): Exclude<Role, "device"> {
  const role = grantable.find((known) => known === text);
  if (role === undefined) throw new InvalidArgumentError(`It is one of ${grantable.join(", ")}.`);
  return role;
}
