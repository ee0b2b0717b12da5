import { readFile } from "node:fs/promises";
import { PlaneError } from "../../error.ts";
import type { PlaneParts } from "../../parts.ts";
import type { Route } from "../route.ts";

/** The page that verifies answers in a browser: a file in the plane's folder, or the one that whoever started it gives. */
export function verifyPageRoutes({ verifyPage, givenVerifyPage }: PlaneParts): readonly Route[] {
  let given: Promise<Uint8Array> | undefined;
  /** Made once, when somebody first asks. */
  const givenPage = (cause: unknown): Promise<Uint8Array> => {
    if (givenVerifyPage === undefined) throw noPage(cause);
    given ??= givenVerifyPage().catch((error: unknown) => {
      given = undefined;
      throw noPage(error);
    });
    return given;
  };
  return [
    {
      method: "GET",
      url: "/verify",
      access: "public",
      summary:
        "the verifier page, if the plane has one; it needs nothing of the plane, and a copy of one's own is safer",
      tag: "evidence",
      async handle(_, reply) {
        const page = await readFile(verifyPage).catch((cause: NodeJS.ErrnoException) => {
          if (cause.code !== "ENOENT") throw cause;
          return givenPage(cause);
        });
        // The page's own policy is in it; what a page cannot say of itself is said here.
        return reply
          .header("content-security-policy", "frame-ancestors 'none'")
          .header("x-content-type-options", "nosniff")
          .header("cache-control", "no-cache")
          .type("text/html; charset=utf-8")
          .send(Buffer.from(page));
      },
    },
  ];
}

function noPage(cause: unknown): PlaneError {
  return new PlaneError("not-found", "this plane serves no verifier page", {
    cause,
    hint: "build one with `npm run --silent console -- -o verify.html`, open it from disk, or put it into the plane's folder",
  });
}
