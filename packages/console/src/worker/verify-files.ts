import {
  type ByteSource,
  beginSha256,
  digestFromHash,
  digestOf,
  loadReasons,
  type Progress,
  parseTrust,
  type RecordPages,
  type Report,
  type Trust,
  verifyRecords,
} from "@tally/evidence";
import type { AnswerSummary, FileSummary, Summary, TrustSummary } from "./messages.ts";

export interface Files {
  /** Read piece by piece, and again for records. */
  readonly bundle: ByteSource;
  readonly trust: Uint8Array;
  /** Milliseconds since 1970, for the trust file's maximum age. */
  readonly now: number;
  readonly onProgress?: (progress: Progress) => void;
}

export interface Verified {
  readonly summary: Summary;
  readonly records: RecordPages;
}

/**
 * Verifies a bundle against a trust file, as `tally verify` does.
 *
 * @throws EvidenceError `trust-invalid` for a trust file that cannot be read
 */
export async function verifyFiles({ bundle, trust: trustFile, now, onProgress }: Files): Promise<Verified> {
  const started = performance.now();
  const trust = parseTrust(trustFile);
  const { report, records } = await verifyRecords({
    bundle,
    trust,
    now,
    holdRecords: 0,
    ...(onProgress && { onProgress }),
  });
  return {
    records,
    summary: {
      ...report,
      answer: report.answer && summariseAnswer(report.answer),
      bundle: { size: bundle.size, digest: await digestOfSource(bundle) },
      trust: summariseTrust(trust, trustFile),
      milliseconds: performance.now() - started,
    },
  };
}

function summariseAnswer({
  ledgers,
  models,
  refused,
  recordCount,
  erased,
  reliesOn,
  summary,
}: NonNullable<Report["answer"]>): AnswerSummary {
  const reasons = new Map<number, string>(Object.entries(loadReasons).map(([name, code]) => [code, name]));
  return {
    ledgers,
    models,
    records: recordCount,
    erased: erased.length,
    reliesOn,
    summary,
    refused: refused.map(({ origin, index, load }) => ({
      origin,
      index,
      model: load.manifest,
      reason: reasons.get(load.reason) ?? `code ${load.reason}`,
    })),
  };
}

function summariseTrust(trust: Trust, file: Uint8Array): TrustSummary {
  const { plane, policy, policyText, requiredAlgorithms, identities } = trust;
  return {
    ...summariseFile(file),
    plane: plane.name,
    algorithms: requiredAlgorithms,
    witnesses: [...policy.witnesses].map(([name, { key }]) => `${name} (${key.name})`),
    quorum: policyText.split("\n").filter((line) => /^\s*(group|quorum)\s/.test(line)),
    identities: identities.map(({ name, may, repositories }) => ({
      name,
      may: may.join(", "),
      repositories: repositories.join(", "),
    })),
    limits: [
      ...(trust.minimumPlaneSize === undefined
        ? []
        : [`the plane's log has at least ${trust.minimumPlaneSize} entries`]),
      ...(trust.maximumAgeSeconds === undefined ? [] : [`the answer is at most ${trust.maximumAgeSeconds} s old`]),
      `cosigners' clocks lie at most ${trust.skewSeconds} s apart`,
    ],
  };
}

const pieceBytes = 1024 * 1024;

async function digestOfSource({ size, read }: ByteSource): Promise<string> {
  const running = beginSha256();
  for (let at = 0; at < size; at += pieceBytes) running.update(await read(at, Math.min(pieceBytes, size - at)));
  return digestFromHash(running.digest());
}

function summariseFile(bytes: Uint8Array): FileSummary {
  return { size: bytes.length, digest: digestOf(bytes) };
}
