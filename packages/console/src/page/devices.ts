import type { LedgerAnswer } from "@tally/evidence";
import type { RefusedSummary } from "../worker/messages.ts";
import { element, section } from "./element.ts";
import { type Column, table } from "./table.ts";
import { code, count, counted, device, epochOf, shortCode, time } from "./wording.ts";

const columns: readonly Column<LedgerAnswer>[] = [
  { title: "Device", cell: (ledger) => code(withEpoch(ledger)) },
  {
    title: "Standing",
    cell: ({ standing }) => element("span", { class: `standing ${standing.replaceAll(" ", "-")}` }, standing),
  },
  { title: "Inside", cell: ({ inside }) => count(inside), numeric: true },
  { title: "Possibly inside", cell: ({ possiblyInside }) => count(possiblyInside), numeric: true },
  { title: "Key revoked", cell: ({ keyRevoked }) => count(keyRevoked), numeric: true },
  { title: "Gaps", cell: ({ gaps }) => count(gaps), numeric: true },
  { title: "Coverage", cell: coverage },
];

/** Every device ledger of the answer, those from which nothing arrived among them. */
export function devices(ledgers: readonly LedgerAnswer[]): HTMLElement {
  const uncovered = ledgers.filter(({ covered }) => !covered).length;
  return section(
    "devices",
    "Devices",
    element(
      "p",
      {},
      uncovered === 0
        ? "Every ledger has been delivered up to the end of the interval."
        : `${counted(uncovered, "ledger")} of ${count(ledgers.length)} ${uncovered === 1 ? "has" : "have"} not been delivered up to the end of the interval. What happened there since is not known.`,
    ),
    table(counted(ledgers.length, "device ledger"), columns, ledgers),
  );
}

/** Loads that devices refused: models that did not run. */
export function refusedLoads(refused: readonly RefusedSummary[]): HTMLElement | null {
  if (refused.length === 0) return null;
  const refusedColumns: readonly Column<RefusedSummary>[] = [
    { title: "Device", cell: ({ origin }) => device(origin) },
    { title: "Entry", cell: ({ index }) => count(index), numeric: true },
    { title: "Model", cell: ({ model }) => (model === null ? "no manifest" : shortCode(model)) },
    { title: "Reason", cell: ({ reason }) => reason },
  ];
  return section(
    "refused",
    "Refused loads",
    element("p", {}, "Models that devices were given and did not run."),
    table(counted(refused.length, "refused load"), refusedColumns, refused),
  );
}

function withEpoch({ origin, deviceId }: LedgerAnswer): string {
  const { epoch } = epochOf(origin);
  return epoch === "0" ? deviceId : `${deviceId} epoch ${epoch}`;
}

function coverage({ covered, coveredUntil }: LedgerAnswer): string {
  if (covered) return "whole interval";
  return coveredUntil === null ? "nothing delivered" : `up to ${time(coveredUntil)}`;
}
