/**
 * @file Certificates made at run time, for tests: no key is ever kept in the repository.
 */
import "reflect-metadata";
import { createPrivateKey, webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const HOUR_MS = 3_600_000;

/** A certificate and its key, PEM. */
export interface CertifiedKey {
  readonly cert: string;
  readonly key: string;
}

/** Names of a certificate, and how long it holds. */
export interface CertificateNames {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
  /** From now; negative: it ran out that long ago. Default: an hour. */
  readonly validMs?: number;
}

/** A certificate authority that lives as long as the test. */
export interface Authority {
  readonly cert: string;
  issue(names: CertificateNames): Promise<CertifiedKey>;
}

/** Makes an authority. */
export async function createAuthority(name = "test"): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const issuer = `CN=${name}`;
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...{ serialNumber: "01", name: issuer, keys, signingAlgorithm: ALGORITHM, ...validity(24 * HOUR_MS) },
    extensions: [
      new BasicConstraintsExtension(true, 1, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  let serial = 1;
  return {
    cert: certificate.toString("pem"),
    async issue({ uris = [], dns = [], ips = [], validMs = HOUR_MS }) {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
      const names = [
        ...uris.map((value) => ({ type: "url" as const, value })),
        ...dns.map((value) => ({ type: "dns" as const, value })),
        ...ips.map((value) => ({ type: "ip" as const, value })),
      ];
      serial += 1;
      const issued = await X509CertificateGenerator.create({
        ...{ serialNumber: serial.toString(16).padStart(4, "0"), subject: "CN=nobody", issuer },
        ...{ publicKey: own.publicKey, signingKey: keys.privateKey, signingAlgorithm: ALGORITHM },
        ...validity(validMs),
        extensions: names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)],
      });
      const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", own.privateKey));
      const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
      return { cert: issued.toString("pem"), key: key.export({ type: "pkcs8", format: "pem" }).toString() };
    },
  };
}

function validity(validMs: number) {
  const nowMs = Date.now();
  return { notBefore: new Date(nowMs - 24 * HOUR_MS), notAfter: new Date(nowMs + validMs) };
}
