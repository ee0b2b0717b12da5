import type { Digest } from "../digest.ts";
import { EvidenceError } from "../error.ts";
import { makeStatement, onlySubject, predicateOf, type Statement } from "./statement.ts";

/** in-toto's release, with the channel and the sequence number that keeps a device from being rolled back. */
export const releaseType = "https://in-toto.io/attestation/release/v0.1";

/** A channel of a repository now leads to this model. Subject: the manifest. */
export interface Release {
  readonly manifest: Digest;
  /** Package URL, such as `pkg:oci/breast-cancer@sha256:…`. */
  readonly purl: string;
  readonly releaseId: string;
  /** `repository:name`, such as `breast-cancer:stable`. */
  readonly channel: string;
  /** Grows with every release of the channel, a roll-back included. */
  readonly sequence: number;
}

export function releaseStatement(release: Release): Statement {
  const { manifest, purl, releaseId, channel, sequence } = release;
  const { repository } = splitChannel(channel);
  return makeStatement([{ name: repository, digest: manifest }], releaseType, { purl, releaseId, channel, sequence });
}

/** @throws EvidenceError `statement-invalid` naming the field */
export function parseRelease(statement: Statement): Release {
  const predicate = predicateOf(statement, releaseType);
  const channel = predicate.at("channel").parse((text) => {
    splitChannel(text);
    return text;
  });
  return Object.freeze({
    manifest: onlySubject(statement),
    purl: predicate.at("purl").text(),
    releaseId: predicate.at("releaseId").text(),
    channel,
    sequence: predicate.at("sequence").uint(),
  });
}

/** The repository and the name that `repository:name` consists of. @throws EvidenceError `statement-invalid` */
export function splitChannel(channel: string): { repository: string; name: string } {
  const [, repository, name] = /^([a-z0-9][a-z0-9._/-]*):([A-Za-z0-9_][A-Za-z0-9._-]{0,127})$/.exec(channel) ?? [];
  if (repository === undefined || name === undefined) {
    throw new EvidenceError("statement-invalid", `"${channel.slice(0, 80)}" is no channel; write repository:name`);
  }
  return { repository, name };
}
