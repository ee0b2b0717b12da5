// A sigstore of its own on loopback, for tests: the library's mock authority and logs behind a real HTTP server.

import { createHash, generateKeyPairSync } from "node:crypto";
import type { TestContext } from "node:test";
import {
  fulcioHandler,
  initializeCA,
  initializeCTLog,
  initializeTLog,
  initializeTSA,
  tsaHandler,
} from "@sigstore/mock";
import { TransparencyLogEntry, TrustedRoot } from "@sigstore/protobuf-specs";
import { encodeJson, type JsonObject, toBase64, utf8 } from "@tally/evidence";
import { serve } from "./loopback-registry.ts";

export interface MockSigstore {
  /** Of the authority, of the log (in both versions) and of the timestamp authority alike. */
  readonly url: string;
  readonly trustedRoot: TrustedRoot;
  /** `trusted_root.json`. */
  readonly trustedRootJson: string;
}

export interface MockWish {
  /** When authority and log believe it is; now, if not given. */
  readonly authorityClock?: Date;
  readonly logClock?: Date;
  readonly stampClock?: Date;
  /** The trusted root says nothing of the timestamp authority. */
  readonly withoutStamps?: boolean;
  /** Certificates are not logged. */
  readonly withoutSct?: boolean;
  /** Sees what the log is asked to enter, and may have it enter something else. */
  readonly entering?: (entry: JsonObject) => JsonObject;
}

export const mockIssuer = "https://issuer.example.org";

/** An identity token such as an OpenID Connect issuer gives; nobody checks its signature here. */
export function identityToken(subject: string, issuer = mockIssuer): string {
  const part = (value: JsonObject) => Buffer.from(encodeJson(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part({ sub: subject, iss: issuer, aud: "sigstore" })}.${part({})}`;
}

/** The trusted root of a sigstore that is nowhere. */
export async function trustedRootOfNobody(): Promise<string> {
  const { root } = await newSigstore({});
  return JSON.stringify(root("https://sigstore.example"));
}

async function newSigstore(wish: MockWish) {
  const [authorityKey, ctKey, logKey] = [newKey(), newKey(), newKey()];
  const ctLog = await initializeCTLog(ctKey);
  // The mock writes fractions of seconds in a form that its own verifier does not read.
  const start = Math.floor(Date.now() / 1000) * 1000;
  const { authorityClock = new Date(start), stampClock = new Date(start + 60_000) } = wish;
  const ca = await initializeCA(authorityKey, wish.withoutSct ? undefined : ctLog, authorityClock);
  const log = await initializeTLog("http://127.0.0.1", logKey, wish.logClock);
  const tsa = await initializeTSA(newKey("P-384"), stampClock);
  const root = (url: string): JsonObject => ({
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    tlogs: [instance(logKey.publicKey.export({ format: "der", type: "spki" }))],
    certificateAuthorities: [
      {
        subject: { organization: "sigstore.mock", commonName: "sigstore" },
        uri: url,
        certChain: { certificates: [{ rawBytes: base64(ca.rootCertificate) }] },
        validFor: { start: "2020-01-01T00:00:00Z" },
      },
    ],
    ctlogs: [instance(ctLog.publicKey)],
    timestampAuthorities: wish.withoutStamps
      ? []
      : [
          {
            subject: { organization: "sigstore.mock", commonName: "tsa" },
            uri: url,
            certChain: {
              certificates: [tsa.intCertificate, tsa.rootCertificate].map((der) => ({ rawBytes: base64(der) })),
            },
            validFor: { start: "2020-01-01T00:00:00Z" },
          },
        ],
  });
  return { ca, log, tsa, root };
}

export async function mockSigstore(t: TestContext, wish: MockWish = {}): Promise<MockSigstore> {
  const { ca, log, tsa, root: rootAt } = await newSigstore(wish);
  const fulcio = fulcioHandler(ca);
  const stamps = tsaHandler(tsa);
  const url = await serve(t, async (req, res) => {
    const body = Buffer.concat(await Array.fromAsync(req)).toString();
    if (req.url === fulcio.path) {
      const { statusCode, response, contentType } = await fulcio.fn(body);
      res.writeHead(statusCode, { "content-type": contentType ?? "text/plain" }).end(response);
      return;
    }
    if (req.url === stamps.path) {
      const { statusCode, response, contentType } = await stamps.fn(body);
      res.writeHead(statusCode, { "content-type": contentType ?? "text/plain" }).end(response);
      return;
    }
    if (req.url === "/api/v2/log/entries") {
      const made = await log.logV2(canonicalEntryV2(JSON.parse(body) as ProposedV2) as never);
      // A log of tiles says no time: what time it was is for a timestamp authority to say.
      const inclusionProof = { ...made.inclusionProof!, logIndex: "0" };
      const answer = TransparencyLogEntry.toJSON({ ...made, inclusionProof, integratedTime: "0" } as never);
      res.writeHead(201, { "content-type": "application/json" }).end(JSON.stringify(answer));
      return;
    }
    const entry = canonicalEntry(JSON.parse(body) as Proposed);
    const made = await log.log(wish.entering?.(entry) ?? entry);
    res.writeHead(201, { "content-type": "application/json" }).end(JSON.stringify(made));
  });
  const root = rootAt(url);
  const trustedRootJson = JSON.stringify(root);
  return { url, trustedRoot: TrustedRoot.fromJSON(root), trustedRootJson };
}

interface Proposed {
  readonly spec: { readonly proposedContent: { readonly envelope: string; readonly verifiers: readonly string[] } };
}

/** What a Rekor log keeps of a DSSE envelope that it was given: its hashes, its signatures, and by whom. */
function canonicalEntry({ spec: { proposedContent } }: Proposed): JsonObject {
  const envelope = JSON.parse(proposedContent.envelope) as { payload: string; signatures: readonly { sig: string }[] };
  const hash = (bytes: Uint8Array) => ({
    algorithm: "sha256",
    value: createHash("sha256").update(bytes).digest("hex"),
  });
  return {
    apiVersion: "0.0.1",
    kind: "dsse",
    spec: {
      envelopeHash: hash(utf8(proposedContent.envelope)),
      payloadHash: hash(Buffer.from(envelope.payload, "base64")),
      signatures: envelope.signatures.map(({ sig }) => ({ signature: sig, verifier: proposedContent.verifiers[0]! })),
    },
  };
}

interface ProposedV2 {
  readonly dsseRequestV002: {
    readonly envelope: { readonly payload: string; readonly signatures: readonly { readonly sig: string }[] };
    readonly verifiers: readonly JsonObject[];
  };
}

/** What a log of Rekor's version 2 keeps of the same. */
function canonicalEntryV2({ dsseRequestV002: { envelope, verifiers } }: ProposedV2): JsonObject {
  const digest = createHash("sha256").update(Buffer.from(envelope.payload, "base64")).digest("base64");
  const signatures = envelope.signatures.map(({ sig }) => ({ content: sig, verifier: verifiers[0]! }));
  const dsseV002 = { payloadHash: { algorithm: "SHA2_256", digest }, signatures };
  return { apiVersion: "0.0.2", kind: "dsse", spec: { dsseV002 } };
}

function instance(spki: Uint8Array): JsonObject {
  const logId = { keyId: createHash("sha256").update(spki).digest("base64") };
  const key = { rawBytes: toBase64(spki), keyDetails: "PKIX_ECDSA_P256_SHA_256" };
  const publicKey = { ...key, validFor: { start: "2020-01-01T00:00:00Z" } };
  return { baseUrl: "http://127.0.0.1", hashAlgorithm: "SHA2_256", publicKey, logId };
}

function newKey(namedCurve = "P-256") {
  return generateKeyPairSync("ec", { namedCurve });
}

function base64({ buffer, byteOffset, byteLength }: ArrayBufferView<ArrayBuffer>): string {
  return toBase64(new Uint8Array(buffer, byteOffset, byteLength));
}
