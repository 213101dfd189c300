import { DomainError } from "@parfocal/errors";

/** Whether the S3 client adds and checks CRCs of its own. Older servers know none: see docs/storage.md. */
export type ChecksumMode = "when_supported" | "when_required";

/** Keys of an S3 account. Without them the SDK's usual chain decides (environment, profile, container, instance). */
export interface StoreCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** How to reach an S3 server. Plain data, so that it can be handed to a child process. Local folders ignore it. */
export interface StoreOptions {
  /** URL of the server, e.g. `http://127.0.0.1:9000`; absent: AWS. */
  readonly endpoint?: string;
  /** Default `us-east-1`, which servers other than AWS take as "any". */
  readonly region?: string;
  /** Bucket in the path instead of the host name. Default: true with an endpoint, else false. */
  readonly forcePathStyle?: boolean;
  /** Default: `when_supported` on AWS, `when_required` with an endpoint. */
  readonly checksumMode?: ChecksumMode;
  /** Size of the parts of an upload and of the ranges of a parallel read; at least 5 MiB. Default 16 MiB. */
  readonly partSizeBytes?: number;
  /** Parts in flight per object. Default 4. Peak memory of an upload is this many parts and one more. */
  readonly maxConcurrency?: number;
  /** Sockets of the store, over all its calls; streamed reads have half of them to themselves. Default 64. */
  readonly maxSockets?: number;
  /** Tries of an idempotent request, 1 to 20. Default 5. */
  readonly maxAttempts?: number;
  /** Bound of the first pause between tries; it doubles each time up to 20 s, and the pause is random below it. Default 100. */
  readonly retryBaseMs?: number;
  /** Time to connect, TLS included. Default 5 000. */
  readonly connectTimeoutMs?: number;
  /** Time without a byte, on the way to an answer and within it. Default 30 000. */
  readonly idleTimeoutMs?: number;
  readonly credentials?: StoreCredentials;
}

/** {@link StoreOptions} with every default filled in. */
export type ResolvedStoreOptions = Required<Omit<StoreOptions, "endpoint" | "credentials">> &
  Pick<StoreOptions, "endpoint" | "credentials">;

const MIB = 1024 * 1024;

/** The bounds of the numeric options, both inclusive. 5 MiB and 5 GiB are the bounds of S3 parts. */
const BOUNDS = {
  partSizeBytes: [5 * MIB, 5120 * MIB],
  maxConcurrency: [1, 64],
  // One for streamed reads, one for everything else: a stream may be the body of a put.
  maxSockets: [2, 1024],
  maxAttempts: [1, 20],
  retryBaseMs: [1, 60_000],
  connectTimeoutMs: [1, 600_000],
  idleTimeoutMs: [1, 3_600_000],
} as const;

/**
 * Fills in the defaults and checks the bounds.
 *
 * @throws {DomainError} INVALID_ARGUMENT naming the option, its value and its bounds.
 */
export function resolveStoreOptions(options: StoreOptions): ResolvedStoreOptions {
  const resolved: ResolvedStoreOptions = {
    region: "us-east-1",
    forcePathStyle: options.endpoint !== undefined,
    checksumMode: options.endpoint === undefined ? "when_supported" : "when_required",
    partSizeBytes: 16 * MIB,
    maxConcurrency: 4,
    maxSockets: 64,
    maxAttempts: 5,
    retryBaseMs: 100,
    connectTimeoutMs: 5_000,
    idleTimeoutMs: 30_000,
    ...options,
  };
  for (const [name, [min, max]] of Object.entries(BOUNDS)) {
    const value = resolved[name as keyof typeof BOUNDS];
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new DomainError("INVALID_ARGUMENT", `store option ${name} is ${value}, outside ${min} to ${max}`);
    }
  }
  return resolved;
}
