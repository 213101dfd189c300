import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { type ChannelCredentials, experimental, type ServerCredentials } from "@grpc/grpc-js";
import { DomainError } from "@parfocal/errors";
import type { Logger } from "../telemetry/logger.ts";
import { createReloadedFiles, unusable } from "./reloaded-files.ts";

/** Paths of PEM files by the environment variable that gives them; an empty path is an absent one. */
export interface TlsPaths {
  readonly cert: TlsPath;
  readonly key: TlsPath;
  readonly ca: TlsPath;
}

/** One path and the variable it comes from, for errors. */
interface TlsPath {
  readonly env: string;
  readonly path: string;
}

/** Certificates that gRPC takes, newest first. */
export interface TlsFiles {
  /** For a server; with a CA its clients must show a certificate of it. */
  serverCredentials(): ServerCredentials;
  /** For a client, which shows the certificate when there is one. Needs a CA. */
  channelCredentials(): ChannelCredentials;
  /** Looks for renewed files now. */
  check(): Promise<void>;
  close(): void;
}

interface Tls {
  readonly identity?: { readonly certificate: Buffer; readonly privateKey: Buffer };
  readonly ca?: { readonly caCertificate: Buffer };
}

type Provider = experimental.CertificateProvider;

/**
 * Reads a certificate, its key and the CA of the other side, and looks for renewed ones every `reloadMs`. Connections that
 * are made after a renewal use the new ones; those that stand keep theirs. A certificate and a key that do not belong
 * together (half of a renewal) are refused with a warning, and so is a certificate that has run out.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the variable.
 */
export function createTlsFiles(paths: TlsPaths, reloadMs: number, logger: Logger): TlsFiles {
  if ((paths.cert.path === "") !== (paths.key.path === "")) {
    const message = `${paths.cert.env} and ${paths.key.env} belong together: one of them is not set`;
    throw new DomainError("INVALID_ARGUMENT", message);
  }
  const given = [paths.cert, paths.key, paths.ca].filter(({ path }) => path !== "");
  const listeners = createListeners();
  const files = createReloadedFiles({
    paths: Object.fromEntries(given.map(({ env, path }) => [env, path])),
    parse: (contents: Readonly<Record<string, Buffer>>) => tlsFromPem(paths, contents),
    onChange: (tls) => listeners.tell(tls),
    ...{ what: "TLS files", reloadMs, logger },
  });
  const provider = listeners.providerOf(() => files.current);
  const hasCa = paths.ca.path !== "";
  const hasIdentity = paths.cert.path !== "";
  return {
    serverCredentials: () =>
      experimental.createCertificateProviderServerCredentials(provider, hasCa ? provider : null, hasCa),
    channelCredentials: () =>
      experimental.createCertificateProviderChannelCredentials(provider, hasIdentity ? provider : null),
    check: () => files.check(),
    close: () => files.close(),
  };
}

function tlsFromPem(paths: TlsPaths, contents: Readonly<Record<string, Buffer>>): Tls {
  const certificate = contents[paths.cert.env];
  const privateKey = contents[paths.key.env];
  const ca = contents[paths.ca.env];
  if (certificate !== undefined && privateKey !== undefined) assertPair(paths, certificate, privateKey);
  if (ca !== undefined) assertCertificates(paths.ca.env, ca);
  return {
    ...(certificate && privateKey ? { identity: { certificate, privateKey } } : {}),
    ...(ca ? { ca: { caCertificate: ca } } : {}),
  };
}

function assertPair({ cert, key }: TlsPaths, certificate: Buffer, privateKey: Buffer): void {
  const leaf = parse(cert.env, () => new X509Certificate(certificate));
  const secret = parse(key.env, () => createPrivateKey(privateKey));
  if (!leaf.checkPrivateKey(secret)) {
    throw new DomainError("INVALID_ARGUMENT", `the key that ${key.env} names is not that of ${cert.env}`);
  }
  const validTo = new Date(leaf.validTo);
  if (validTo.getTime() <= Date.now()) {
    throw new DomainError(
      "INVALID_ARGUMENT",
      `the certificate that ${cert.env} names ran out ${validTo.toISOString()}`,
    );
  }
  parse(cert.env, () => createSecureContext({ cert: certificate, key: privateKey }));
}

function assertCertificates(env: string, pem: Buffer): void {
  // OpenSSL passes over what it cannot read in a bundle of CAs: without a look, half a file would be no CA at all.
  const blocks = pem.toString("latin1").match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const nBegun = pem.toString("latin1").split("-----BEGIN CERTIFICATE-----").length - 1;
  if (blocks.length === 0 || blocks.length !== nBegun) {
    throw new DomainError("INVALID_ARGUMENT", `the file that ${env} names holds ${blocks.length} whole certificates`);
  }
  for (const block of blocks) parse(env, () => new X509Certificate(block));
}

function parse<T>(env: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw unusable(env, error);
  }
}

/**
 * gRPC's listeners of a provider, told soon and at every change. Not at once: grpc-js 1.14 subscribes before it is ready
 * to hear, and would serve no connection until the first renewal.
 */
function createListeners() {
  const identity = new Set<experimental.IdentityCertificateUpdateListener>();
  const ca = new Set<experimental.CaCertificateUpdateListener>();
  return {
    tell(tls: Tls) {
      for (const listener of identity) listener(tls.identity ?? null);
      for (const listener of ca) listener(tls.ca ?? null);
    },
    providerOf(current: () => Tls): Provider {
      return {
        addIdentityCertificateListener(listener) {
          identity.add(listener);
          queueMicrotask(() => listener(current().identity ?? null));
        },
        removeIdentityCertificateListener: (listener) => void identity.delete(listener),
        addCaCertificateListener(listener) {
          ca.add(listener);
          queueMicrotask(() => listener(current().ca ?? null));
        },
        removeCaCertificateListener: (listener) => void ca.delete(listener),
      };
    },
  };
}
