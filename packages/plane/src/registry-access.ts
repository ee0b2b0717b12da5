import type { Role } from "@tally/evidence";
import { matchesRepository } from "@tally/evidence";
import type { RegistryOptions } from "@tally/oci";
import { type Tokens, tokenOf } from "./access/tokens.ts";

type Action = "pull" | "push" | "delete";

/** What each role may do in the registry. Devices push segments, scientists push what they made of them. */
const allowed: Readonly<Record<Role, readonly Action[]>> = {
  admin: ["pull", "push", "delete"],
  publisher: ["pull", "push"],
  approver: ["pull"],
  auditor: ["pull"],
  scientist: ["pull", "push"],
  device: ["pull", "push"],
};

const challenge = ['Bearer realm="tally"', 'Basic realm="tally"'];

/** Registry access by the plane's tokens: Bearer, or Basic with the token as password. */
export function authoriseRegistry(tokens: Tokens): RegistryOptions["authorize"] {
  return async (request, { repository, action }) => {
    const token = tokenOf(request.headers.authorization);
    const bearer = token === undefined ? undefined : await tokens.find(token);
    if (bearer === undefined) return { status: 401, challenge };
    const mayAct = allowed[bearer.role].includes(action);
    const mayHere = repository === "" || matchesRepository(bearer.repository, repository);
    return mayAct && mayHere ? undefined : { status: 403 };
  };
}
