import { DomainError } from "@parfocal/errors";
import type { ChannelToOptions } from "../client/create-channel-to.ts";
import { textSetting } from "../config/setting.ts";
import type { Logger } from "../telemetry/logger.ts";
import { createTlsFiles } from "./tls-files.ts";

function pathSetting(env: string, reason: string) {
  return textSetting({ env, fallback: "", pattern: /^[^\0\n]{1,1024}$/, expected: "a path", reason });
}

/** How a process that calls stages knows them and is known to them. */
export const stageTlsSettings = {
  stageTlsCa: pathSetting(
    "PARFOCAL_STAGE_TLS_CA",
    "CA of the stages, PEM; set: they are called over TLS and must show a certificate of it for their host; unset: plain text.",
  ),
  stageTlsCert: pathSetting("PARFOCAL_STAGE_TLS_CERT", "Certificate that stages know this process by, PEM."),
  stageTlsKey: pathSetting("PARFOCAL_STAGE_TLS_KEY", "Key of that certificate, PEM."),
};

/** The values of {@link stageTlsSettings}. */
export interface StageTlsConfig {
  readonly stageTlsCa: string;
  readonly stageTlsCert: string;
  readonly stageTlsKey: string;
  /** Pause between looks for renewed files, ms. */
  readonly tlsReloadMs: number;
}

/** How channels to stages are kept. */
export interface StageCredentials {
  /** For channels to stages. */
  readonly channel: Pick<ChannelToOptions, "credentials">;
  /** Stops looking for renewed files. */
  close(): void;
}

/**
 * The credentials that a configuration gives for calls to stages; plain text when it gives none. Renewed files are taken
 * for connections made after the renewal.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the variable whose file or combination cannot be used.
 */
export function createStageCredentials(config: StageTlsConfig, logger: Logger): StageCredentials {
  const { stageTlsCa, stageTlsCert, stageTlsKey, tlsReloadMs } = config;
  if (stageTlsCa === "") {
    if (stageTlsCert === "" && stageTlsKey === "") return { channel: {}, close() {} };
    const message = "configuration: PARFOCAL_STAGE_TLS_CERT and PARFOCAL_STAGE_TLS_KEY need PARFOCAL_STAGE_TLS_CA";
    throw new DomainError("INVALID_ARGUMENT", message);
  }
  const paths = {
    cert: { env: "PARFOCAL_STAGE_TLS_CERT", path: stageTlsCert },
    key: { env: "PARFOCAL_STAGE_TLS_KEY", path: stageTlsKey },
    ca: { env: "PARFOCAL_STAGE_TLS_CA", path: stageTlsCa },
  };
  const tls = createTlsFiles(paths, tlsReloadMs, logger);
  return { channel: { credentials: tls.channelCredentials() }, close: () => tls.close() };
}
