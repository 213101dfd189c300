import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { addressOf, requestOptions, retried, type S3Context } from "./s3-context.ts";

/** Deletes an object. Some servers say of an object that is not there that it is not there: that is what was wanted. */
export async function deleteObject(context: S3Context, key: string, signal: AbortSignal | undefined): Promise<void> {
  const command = new DeleteObjectCommand(addressOf(context, key));
  await retried(context, signal, async () => {
    try {
      await context.client.send(command, requestOptions(signal));
    } catch (error) {
      // By name: the bucket may be missing, and a proxy without a server behind it answers 404 too.
      if (!(error instanceof Error && error.name === "NoSuchKey")) throw error;
    }
  });
}
