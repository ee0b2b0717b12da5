import { type Digest, parseRelease, type Release, releaseType, splitChannel } from "@tally/evidence";
import type { SignedStatement } from "@tally/policy";
import type { DeviceCore } from "../device-core.ts";
import { EdgeError } from "../error.ts";
import { askPlane, textOf } from "../plane/http.ts";
import type { PlaneSession } from "../plane/session.ts";
import { openPlaneCheckpoint, type PlaneCheckpoint, requireGrowth } from "../sync/plane-checkpoint.ts";
import { readPin, writePin } from "../sync/plane-pin.ts";
import { type ChannelAnswer, parseChannelAnswer, requireLogged } from "./channel-answer.ts";
import { keepRevocations, keyStanding, provenRevocations } from "./people-keys.ts";
import { RefusedLoad } from "./refused-load.ts";
import { readRelease, writeRelease } from "./release-state.ts";
import { signedStatements } from "./signed-statements.ts";

/** What a channel leads to, by statements that are proven to be in the plane's log. */
export interface ResolvedChannel {
  readonly channel: string;
  readonly repository: string;
  readonly manifest: Digest;
  readonly sequence: number;
  /** The envelope of the release statement. */
  readonly release: Digest;
  /** In the order of the log. */
  readonly statements: readonly SignedStatement[];
  /** False when the plane was not reachable and what it said last holds on. */
  readonly fresh: boolean;
  /** Signatures that do not count because of their key: it was revoked, or took another's place only later. */
  readonly notCounting: readonly string[];
}

/**
 * Resolves `repository:name` to a manifest digest. The plane is asked and not believed: its checkpoint must continue the
 * pinned one, each statement must be in its log, and the sequence must not go back. When it cannot be reached, the
 * release that was taken last holds.
 *
 * @throws EdgeError `plane-untrusted`, `plane-refused`, `model-not-found`, `unreachable` without anything to fall back on.
 * @throws RefusedLoad `not-released`, `rolled-back`, `evidence-too-old`
 */
export async function resolveChannel(
  core: DeviceCore,
  session: PlaneSession,
  channel: string,
): Promise<ResolvedChannel> {
  const parts = channelParts(channel);
  const kept = await readRelease(core.folder.state, channel);
  const pinned = await readPin(core.folder.state);
  const text = await askChannel(core, session, parts, pinned?.size ?? 0).catch((error: unknown) => {
    if (error instanceof EdgeError && error.code === "unreachable" && kept !== undefined) return undefined;
    throw error;
  });
  if (text === undefined) {
    const checkpoint = openPlaneCheckpoint(kept!.answer.checkpoint, core.trust);
    const resolved = await openAnswer(core, channel, kept!.answer, checkpoint);
    return { ...resolved, fresh: false };
  }
  const answer = parseChannelAnswer(text);
  const checkpoint = openPlaneCheckpoint(answer.checkpoint, core.trust);
  if (pinned !== undefined) requireGrowth(core.trust, pinned, checkpoint, answer.consistency);
  const resolved = await openAnswer(core, channel, answer, checkpoint);
  if (kept !== undefined) refuseRollback(channel, kept.answer, answer);
  await writePin(core.folder.state, checkpoint);
  await writeRelease(core.folder.state, channel, text);
  return { ...resolved, fresh: true };
}

async function openAnswer(
  { trust, clock, folder }: DeviceCore,
  channel: string,
  answer: ChannelAnswer,
  checkpoint: PlaneCheckpoint,
): Promise<Omit<ResolvedChannel, "fresh">> {
  requireLogged(answer, checkpoint);
  const { manifest, sequence } = answer;
  const age = checkpoint.notBefore === null ? Number.POSITIVE_INFINITY : clock.now() - checkpoint.notBefore;
  if (trust.maximumAgeSeconds !== undefined && age > (trust.maximumAgeSeconds + trust.skewSeconds) * 1000) {
    throw new RefusedLoad("evidence-too-old", `the plane's checkpoint is older than the trust file allows`, {
      manifest,
    });
  }
  const revocations = await keepRevocations(folder.state, provenRevocations(answer, trust));
  const standing = keyStanding(trust, answer, revocations, checkpoint);
  const { statements, notCounting } = await signedStatements(trust, answer, checkpoint, standing);
  const release = statements.findLast((statement) => isRelease(statement, channel, answer));
  if (release === undefined) {
    const why = `no release of it to ${channel} as number ${sequence} by a known signer is in the log`;
    if (notCounting.length === 0) throw new RefusedLoad("not-released", why, { manifest });
    throw new RefusedLoad("signer-revoked", `${why}; ${notCounting.join("; ")}`, { manifest });
  }
  const { repository } = channelParts(channel);
  return { channel, repository, manifest, sequence, release: release.envelope, statements, notCounting };
}

function isRelease(
  { predicateType, signers, statement }: SignedStatement,
  channel: string,
  answer: ChannelAnswer,
): boolean {
  if (predicateType !== releaseType || signers.length === 0) return false;
  let release: Release;
  try {
    release = parseRelease(statement);
  } catch {
    return false;
  }
  const { manifest, sequence } = answer;
  return release.channel === channel && release.sequence === sequence && release.manifest === manifest;
}

function refuseRollback(channel: string, kept: ChannelAnswer, next: ChannelAnswer): void {
  const isLower = next.sequence < kept.sequence;
  const isOther = next.sequence === kept.sequence && next.manifest !== kept.manifest;
  if (!isLower && !isOther) return;
  const why = `${channel} was at number ${kept.sequence} before; going back takes a new, higher number`;
  throw new RefusedLoad("rolled-back", why, { manifest: next.manifest });
}

async function askChannel(
  { config }: DeviceCore,
  session: PlaneSession,
  { repository, name }: { repository: string; name: string },
  pinned: number,
): Promise<string> {
  const path = `/api/v1/channels/${repository}/${encodeURIComponent(name)}?pinned=${pinned}`;
  return textOf((await askPlane(config.url, { method: "GET", path, session, most: 16 * 1024 * 1024 })).bytes);
}

function channelParts(channel: string): { repository: string; name: string } {
  try {
    return splitChannel(channel);
  } catch (cause) {
    throw new EdgeError("request-invalid", `${channel} names no channel`, { cause, hint: "write repository:channel" });
  }
}
