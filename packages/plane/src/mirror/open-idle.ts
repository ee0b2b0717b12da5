import { join } from "node:path";
import { Mirror } from "@tally/ledger";

/** The ledgers in the folder of a plane that does not run: nothing is added or signed. @throws LedgerError `locked` while it runs */
export function openIdleMirror(dir: string): Promise<Mirror> {
  return Mirror.open({
    dir: join(dir, "mirror"),
    witness: [],
    mirror: [],
    keySet: () => undefined,
    onConflict: async () => {},
  });
}
