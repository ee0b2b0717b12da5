import { InvalidArgumentError } from "commander";
import parseSpdx from "spdx-expression-parse";

/** A licence as an SPDX expression; what is on no list is written `LicenseRef-…`. */
export function parseLicense(text: string): string {
  try {
    parseSpdx(text);
    return text;
  } catch {
    throw new InvalidArgumentError(
      "It is no SPDX expression: write CC-BY-4.0, MIT OR Apache-2.0, or LicenseRef-NAME for a licence on no list.",
    );
  }
}
