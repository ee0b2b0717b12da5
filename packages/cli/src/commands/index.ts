import type { Register } from "../register.ts";
import { approve } from "./approve.ts";
import { artifact } from "./artifact/index.ts";
import { audit } from "./audit.ts";
import { backup } from "./backup.ts";
import { bundle } from "./bundle.ts";
import { compare } from "./compare.ts";
import { data } from "./data.ts";
import { device } from "./device/index.ts";
import { doctor } from "./doctor.ts";
import { env } from "./env.ts";
import { exportCommand } from "./export.ts";
import { identity } from "./identity.ts";
import { importCommand } from "./import.ts";
import { ingest } from "./ingest.ts";
import { keygen } from "./keygen.ts";
import { ledger } from "./ledger/index.ts";
import { model } from "./model/index.ts";
import { plane } from "./plane/index.ts";
import { receipt } from "./receipt.ts";
import { registry } from "./registry/index.ts";
import { release } from "./release.ts";
import { replay } from "./replay/index.ts";
import { restore } from "./restore.ts";
import { serve } from "./serve.ts";
import { statement } from "./statement.ts";
import { token } from "./token.ts";
import { trace } from "./trace/index.ts";
import { trust } from "./trust.ts";
import { verify } from "./verify.ts";
import { witness } from "./witness.ts";

/** Every command, in the order in which a newcomer needs them. */
export const commands: readonly Register[] = [
  serve,
  witness,
  keygen,
  token,
  identity,
  trust,
  ingest,
  model,
  artifact,
  statement,
  approve,
  release,
  device,
  audit,
  verify,
  bundle,
  trace,
  replay,
  receipt,
  compare,
  data,
  exportCommand,
  importCommand,
  ledger,
  backup,
  restore,
  plane,
  registry,
  env,
  doctor,
];
