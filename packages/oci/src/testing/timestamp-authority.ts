// An RFC 3161 timestamp authority for tests, whose clock says what the test wants. Certificates come from the test.

import { createHash, webcrypto } from "node:crypto";
import type { TestContext } from "node:test";
import { Integer, ObjectIdentifier, OctetString, Sequence, UTCTime } from "asn1js";
import * as pkijs from "pkijs";
import type { Maker } from "../signing/certificate-maker.ts";
import { serve } from "./loopback-registry.ts";

export interface StampWish {
  /** Whose key and certificate. */
  readonly authority: Maker;
  readonly at: Date;
  /** Milliseconds; not said where it is not given. */
  readonly accuracySeconds?: number;
  /** Certificates that travel along; the authority's own, if not given. */
  readonly certificates?: readonly Maker[];
  /** The certificate that the token says it is by; the authority's own, if not given. */
  readonly named?: Maker;
  /** As what the content is signed and labelled. */
  readonly contentType?: string;
}

const oid = {
  timestampInfo: "1.2.840.113549.1.9.16.1.4",
  signedData: "1.2.840.113549.1.7.2",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingTime: "1.2.840.113549.1.9.5",
  signingCertificateV2: "1.2.840.113549.1.9.16.2.47",
} as const;

/** A token over the SHA-256 of these bytes. */
export async function stampBytes(bytes: Uint8Array, wish: StampWish): Promise<Uint8Array> {
  const imprint = new pkijs.MessageImprint({
    hashAlgorithm: new pkijs.AlgorithmIdentifier({ algorithmId: "2.16.840.1.101.3.4.2.1" }),
    hashedMessage: new OctetString({ valueHex: createHash("sha256").update(bytes).digest() }),
  });
  return (await token(imprint, wish)).bytes;
}

/** An authority over HTTP; its URL. */
export function serveTimestamps(t: TestContext, wish: () => StampWish): Promise<string> {
  return serve(t, async (req, res) => {
    const request = pkijs.TimeStampReq.fromBER(Uint8Array.from(Buffer.concat(await Array.fromAsync(req))));
    const { content } = await token(request.messageImprint, wish(), request.nonce);
    const response = new pkijs.TimeStampResp({
      status: new pkijs.PKIStatusInfo({ status: 0 }),
      timeStampToken: new pkijs.ContentInfo({ schema: content.toSchema() }),
    });
    res.writeHead(200, { "content-type": "application/timestamp-reply" });
    res.end(Buffer.from(response.toSchema().toBER()));
  });
}

async function token(messageImprint: pkijs.MessageImprint, wish: StampWish, nonce?: Integer) {
  const { authority, at, accuracySeconds, certificates = [authority], named = authority } = wish;
  const eContentType = wish.contentType ?? oid.timestampInfo;
  const info = new pkijs.TSTInfo({
    version: 1,
    policy: "1.2.3.4.1",
    messageImprint,
    serialNumber: new Integer({ value: 7 }),
    genTime: at,
    ...(accuracySeconds !== undefined && { accuracy: new pkijs.Accuracy({ seconds: accuracySeconds }) }),
    ...(nonce && { nonce }),
  });
  const content = info.toSchema().toBER();
  const encapContentInfo = new pkijs.EncapsulatedContentInfo({ eContentType });
  encapContentInfo.eContent = new OctetString({ valueHex: content });
  const hash = (data: Uint8Array | ArrayBuffer) =>
    new OctetString({ valueHex: createHash("sha256").update(new Uint8Array(data)).digest() });
  const attribute = (type: string, value: object) => new pkijs.Attribute({ type, values: [value as OctetString] });
  const certificate = parsed(authority);
  const signed = new pkijs.SignedData({
    version: 3,
    encapContentInfo,
    certificates: certificates.map(parsed),
    signerInfos: [
      new pkijs.SignerInfo({
        version: 1,
        sid: new pkijs.IssuerAndSerialNumber({ issuer: certificate.issuer, serialNumber: certificate.serialNumber }),
        signedAttrs: new pkijs.SignedAndUnsignedAttributes({
          type: 0,
          attributes: [
            attribute(oid.contentType, new ObjectIdentifier({ value: eContentType })),
            attribute(oid.signingTime, new UTCTime({ valueDate: at })),
            attribute(oid.messageDigest, hash(content)),
            attribute(
              oid.signingCertificateV2,
              new Sequence({
                value: [new Sequence({ value: [new Sequence({ value: [hash(named.certificate.raw)] })] })],
              }),
            ),
          ],
        }),
      }),
    ],
  });
  const pkcs8 = authority.key.export({ format: "der", type: "pkcs8" });
  const algorithm =
    authority.key.asymmetricKeyType === "rsa"
      ? { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }
      : { name: "ECDSA", namedCurve: "P-256" };
  const key = await webcrypto.subtle.importKey("pkcs8", new Uint8Array(pkcs8), algorithm, false, ["sign"]);
  await signed.sign(key as never, 0, "SHA-256");
  const wrapped = new pkijs.ContentInfo({ contentType: oid.signedData, content: signed.toSchema(true) });
  return { content: wrapped, bytes: new Uint8Array(wrapped.toSchema().toBER()) };
}

function parsed({ certificate }: Maker): pkijs.Certificate {
  return pkijs.Certificate.fromBER(Uint8Array.from(certificate.raw));
}
