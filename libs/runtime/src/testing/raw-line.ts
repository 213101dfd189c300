import { PassThrough } from "node:stream";
import { inferenceV2, lineV1 } from "@parfocal/protocol";
import { type Channel, createClient, Metadata } from "nice-grpc";
import { domainErrorFromStatus } from "../errors/domain-error-from-rpc.ts";

/** The unary method that the echo server answers. */
export const MODEL_READY = "inference.GRPCInferenceService/ModelReady";

/** A call of `ModelReady`, or whatever else of it a test wants. */
type RawCall = Partial<lineV1.OpenRequest> & { readonly name?: string };

/** A line that the client never ends by itself. */
export function lineOver(channel: Channel, token = "") {
  const requests = new PassThrough({ objectMode: true });
  const controller = new AbortController();
  const { signal } = controller;
  const metadata = Metadata({ authorization: token });
  const client = createClient(lineV1.LineServiceDefinition, channel);
  const answers = client.open(requests, { metadata, signal })[Symbol.asyncIterator]();
  return {
    /** What `ModelReady`, or another method, answers or fails with. */
    async call({ name = "m", ...request }: RawCall = {}) {
      const encoded = Buffer.from(inferenceV2.ModelReadyRequest.encode({ name, version: "" }).finish());
      requests.write({ method: MODEL_READY, timeoutMs: 0n, metadata: {}, request: encoded, ...request });
      const answer = await answers.next();
      if (answer.done === true) throw new Error("the line has ended");
      const { result } = answer.value;
      if (result?.$case === "failure") return domainErrorFromStatus(result.value);
      return inferenceV2.ModelReadyResponse.decode(result?.value ?? Buffer.of(0xff));
    },
    end: () => requests.end(),
    /** Whether the server ended the line, and not with an answer, the next time that it says something. */
    ended: async () => (await answers.next()).done === true,
    cancel: () => controller.abort(),
  };
}
