/**
 * The transcripts in the order in which they are played: one story in one folder, each from where the one before left it.
 * Together they are what a newcomer does by hand, and every command has its place.
 */
export const story = [
  "usage",
  "keygen",
  "witness-keys",
  "serve",
  "token",
  "identity",
  "trust",
  "witness",
  "ingest",
  "statement",
  "model",
  "approve",
  "release",
  "device-enroll",
  "device-infer",
  "device-run",
  "audit",
  "verify",
  "bundle",
  "trace",
  "data",
  "ledger",
  "backup",
  "reject",
  "device-revoke",
  "env",
  "doctor",
  "stop",
] as const;
