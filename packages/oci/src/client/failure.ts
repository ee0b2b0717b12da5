import { OciError, type OciErrorCode } from "../error.ts";
import { type Reply, readBounded } from "./reply.ts";

const codes: Readonly<Record<number, OciErrorCode>> = {
  401: "unauthorized",
  403: "unauthorized",
  404: "not-found",
  408: "unreachable",
  409: "busy",
  413: "too-large",
  416: "range-invalid",
  429: "unreachable",
  502: "unreachable",
  503: "unreachable",
  504: "unreachable",
  507: "storage-full",
};

const hints: Partial<Record<OciErrorCode, string>> = {
  unauthorized: "check the token, and that it may do this in this repository",
  unreachable: "the registry is overloaded or being restarted; try again later",
};

/** The error that a refusing reply amounts to, with what the registry said about it. Reads the reply's body. */
export async function failureOf(reply: Reply, doing: string): Promise<OciError> {
  const { status } = reply.response;
  const said = await spoken(reply);
  // A 409 that is denied, as by a write-once rule, will not be otherwise later.
  const denied = status === 409 && said.code === "DENIED";
  const code = said.code === "DIGEST_INVALID" ? "digest-mismatch" : denied ? "refused" : (codes[status] ?? "refused");
  const words = [said.code, said.message].filter((word) => word !== undefined).join(": ");
  return new OciError(code, `${doing}: the registry answered ${status}${words === "" ? "" : ` (${words})`}`, {
    ...(hints[code] === undefined ? {} : { hint: hints[code] }),
  });
}

/** The first error of the specification's error body, cut to a length fit for a message. */
async function spoken(reply: Reply): Promise<{ code?: string; message?: string }> {
  try {
    const body: unknown = JSON.parse(new TextDecoder().decode(await readBounded(reply, 64 * 1024)));
    const first = (body as { errors?: unknown[] }).errors?.[0] as { code?: unknown; message?: unknown } | undefined;
    return {
      ...(typeof first?.code === "string" ? { code: printable(first.code) } : {}),
      ...(typeof first?.message === "string" ? { message: printable(first.message) } : {}),
    };
  } catch {
    return {};
  }
}

/** Another party's words do not get to move the cursor of whoever reads them. */
function printable(text: string): string {
  return text.slice(0, 300).replace(/\p{C}/gu, " ");
}
