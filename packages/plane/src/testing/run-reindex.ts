// Makes a plane's index again, to be killed: node run-reindex.ts DIR. Kills itself when the first ledger is done.
import { reindexPlane } from "../reindex.ts";

await reindexPlane({ dir: process.argv[2]!, onLedger: () => process.kill(process.pid, "SIGKILL") });
