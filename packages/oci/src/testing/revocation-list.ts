// Certificate revocation lists for tests, in DER.

import { webcrypto } from "node:crypto";
import { GeneralizedTime, Integer, Null } from "asn1js";
import * as pkijs from "pkijs";
import type { Maker } from "../signing/certificate-maker.ts";

export interface RevocationListWish {
  readonly issuer: Maker;
  readonly from: Date;
  readonly until: Date;
  readonly revoked?: readonly Maker[];
  /** The date that the issuer names as when the key was no longer good. */
  readonly invalidSince?: Date;
  /** The list says that it is a part of one. */
  readonly partial?: boolean;
}

export async function makeRevocationList(wish: RevocationListWish): Promise<Uint8Array> {
  const { issuer, from, until, revoked = [], invalidSince, partial } = wish;
  const list = new pkijs.CertificateRevocationList({
    version: 1,
    issuer: pkijs.Certificate.fromBER(Uint8Array.from(issuer.certificate.raw)).subject,
    thisUpdate: new pkijs.Time({ type: 1, value: from }),
    nextUpdate: new pkijs.Time({ type: 1, value: until }),
    ...(revoked.length > 0 && { revokedCertificates: revoked.map((one) => entry(one, from, invalidSince)) }),
    ...(partial && { crlExtensions: new pkijs.Extensions({ extensions: [extension("2.5.29.28", new Null(), true)] }) }),
  });
  const pkcs8 = new Uint8Array(issuer.key.export({ format: "der", type: "pkcs8" }));
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const key = await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
  await list.sign(key as never, "SHA-256");
  return new Uint8Array(list.toSchema(true).toBER());
}

function entry({ certificate }: Maker, when: Date, invalidSince: Date | undefined): pkijs.RevokedCertificate {
  return new pkijs.RevokedCertificate({
    userCertificate: new Integer({ valueHex: Buffer.from(certificate.serialNumber, "hex") }),
    revocationDate: new pkijs.Time({ type: 1, value: when }),
    ...(invalidSince && {
      crlEntryExtensions: new pkijs.Extensions({
        extensions: [extension("2.5.29.24", new GeneralizedTime({ valueDate: invalidSince }), false)],
      }),
    }),
  });
}

function extension(extnID: string, value: GeneralizedTime | Null, critical: boolean): pkijs.Extension {
  return new pkijs.Extension({ extnID, critical, extnValue: value.toBER() });
}
