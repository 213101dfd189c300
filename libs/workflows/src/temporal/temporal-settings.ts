/** How to reach a Temporal cluster. */
export interface TemporalSettings {
  /** `host:port` of the frontend. */
  readonly address: string;
  readonly namespace: string;
  /** Queue between gateways and workers; those of one store share it, those of two stores must not. */
  readonly taskQueue: string;
  /** Absent: no TLS. Empty: TLS with the certificates that the system trusts. */
  readonly tls?: TemporalTls;
}

/** PEM contents. Client certificate and key go together. */
export interface TemporalTls {
  readonly rootCertificate?: Uint8Array;
  readonly clientCertificate?: Uint8Array;
  readonly clientKey?: Uint8Array;
  /** Name in the server's certificate where it is not the host of the address. */
  readonly serverName?: string;
}

/** The SDK's form of {@link TemporalTls}. */
export function sdkTls(tls: TemporalTls | undefined) {
  if (tls === undefined) return undefined;
  const { rootCertificate, clientCertificate: crt, clientKey: key, serverName } = tls;
  return {
    ...(rootCertificate === undefined ? {} : { serverRootCACertificate: rootCertificate }),
    ...(crt === undefined || key === undefined ? {} : { clientCertPair: { crt, key } }),
    ...(serverName === undefined ? {} : { serverNameOverride: serverName }),
  };
}
