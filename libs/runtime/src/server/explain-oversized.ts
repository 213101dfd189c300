import { Metadata, ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import { encodeRpcStatus, STATUS_DETAILS_KEY } from "@parfocal/protocol";
import { ERROR_DOMAIN } from "../errors/rpc-details.ts";

/** gRPC's own words, which name no way out: of a message as it came, and of one that was being unpacked. */
const OVERSIZED =
  /^Received message (?:larger than max \((?<value>\d+) vs |that decompresses to a size larger than )(?<bound>\d+)\)?$/;

/**
 * Tells the sender of a message that is too large what the bound is and what to do instead.
 *
 * gRPC refuses such a message on the innermost call, before any interceptor hears of it, so this one takes the place of that call's
 * `sendStatus`; it must be the first of the list.
 */
export const explainOversized: ServerInterceptor = (_method, call) => {
  const sendStatus = call.sendStatus.bind(call);
  call.sendStatus = (answer) => {
    const found = answer.code === status.RESOURCE_EXHAUSTED ? OVERSIZED.exec(answer.details ?? "") : null;
    if (found === null) return sendStatus(answer);
    const { bound = "", value = `more than ${bound}` } = found.groups ?? {};
    const message = `a message of ${value} bytes; the bound is ${bound} (PARFOCAL_MAX_RECEIVE_BYTES). Larger bags go in pieces or by reference: upload or import them, then name them. More bags than one request can name: a manifest where BatchPredict takes it, else a larger bound at the gateway and its stages`;
    // No RetryInfo: the same message will never be small enough.
    const details = { ErrorInfo: { reason: "RESOURCE_EXHAUSTED", domain: ERROR_DOMAIN, metadata: { value, bound } } };
    const metadata = new Metadata();
    metadata.set(STATUS_DETAILS_KEY, encodeRpcStatus({ code: answer.code!, message, details }));
    sendStatus({ code: answer.code!, details: message, metadata });
  };
  return new ServerInterceptingCall(call);
};
