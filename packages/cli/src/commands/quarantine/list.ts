import { describeQuarantined, type QuarantineItem, type QuarantineList } from "@tally/evidence";
import { withJson, withPlane } from "../../options.ts";
import { connect, type PlaneFlags } from "../../plane-client.ts";
import type { Register } from "../../register.ts";
import { print, say } from "../../terminal/index.ts";

/** `tally quarantine list`: what stands, as the plane says. */
export const list: Register = (group, { terminal }) => {
  const command = group
    .command("list")
    .description("list what is under quarantine, as the plane says from signed statements")
    .option("--all", "also what was lifted");
  withJson(withPlane(command)).action(async (options: PlaneFlags & { readonly all?: boolean }) => {
    const client = await connect(terminal, options);
    const { quarantines } = await client.get<QuarantineList>("/api/v1/quarantines");
    const shown = quarantines.filter(({ lifted }) => options.all === true || lifted === null);
    print(terminal, options.json, shown, () => shown.flatMap(linesOf));
    const rest = quarantines.length - shown.length;
    if (rest > 0) say(terminal, `${rest} more lifted; --all lists ${rest === 1 ? "it" : "them"}`);
  });
};

function linesOf({ statement, what, by, reason, repositories, lifted }: QuarantineItem): readonly string[] {
  return [
    `${statement}  ${describeQuarantined(what)}`,
    `  by ${by.join(", ")}: ${reason}`,
    lifted === null
      ? `  stands for ${repositories.join(", ")}`
      : `  lifted by ${lifted.by.join(", ")}: ${lifted.reason} (${lifted.statement})`,
  ];
}
