import { GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { DomainError } from "@parfocal/errors";
import { addressOf, type S3Context } from "./s3-context.ts";

/** Seven days: the bound of signature version 4. */
const MAX_EXPIRES_S = 604_800;

/**
 * A URL that reads or writes one object without credentials.
 *
 * @param client one that adds no checksums: a signed checksum would be that of an empty body.
 * @throws {DomainError} INVALID_ARGUMENT when the time is outside 1 s to 7 days.
 */
export function presignObject(
  context: S3Context,
  client: S3Client,
  key: string,
  method: "GET" | "PUT",
  expiresInS: number,
): Promise<string> {
  if (!Number.isInteger(expiresInS) || expiresInS < 1 || expiresInS > MAX_EXPIRES_S) {
    throw new DomainError("INVALID_ARGUMENT", `expiresInS ${expiresInS} is outside 1 to ${MAX_EXPIRES_S}`);
  }
  const address = addressOf(context, key);
  const options = { expiresIn: expiresInS };
  return method === "GET"
    ? getSignedUrl(client, new GetObjectCommand(address), options)
    : getSignedUrl(client, new PutObjectCommand(address), options);
}
