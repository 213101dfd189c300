import { DomainError } from "@parfocal/errors";
import { type DescriptorIndex, grpcReflectionV1, grpcReflectionV1alpha } from "@parfocal/protocol";
import { Status } from "nice-grpc-common";
import { defineService, type ServerService } from "./define-service.ts";
import { untilAborted } from "./until-aborted.ts";

type Request = grpcReflectionV1.ServerReflectionRequest;
type Response = grpcReflectionV1.ServerReflectionResponse;
type Answer = NonNullable<Response["messageResponse"]>;

/** Longest name asked for; the question is repeated in the answer, which must stay small. */
const MAX_NAME_LENGTH = 512;

/**
 * `grpc.reflection.v1` and `v1alpha` (the same messages under two names; older clients ask the latter) for the services
 * `names`, over the descriptors of `index`. Streams end when `closing` fires, so that they do not hold up a shutdown.
 */
export function createReflection(
  index: DescriptorIndex,
  names: readonly string[],
  closing: AbortSignal,
): readonly ServerService[] {
  async function* serverReflectionInfo(requests: AsyncIterable<Request>): AsyncGenerator<Response> {
    // A client keeps what one stream gave it: files are not sent twice unless asked for by name.
    const sent = new Set<string>();
    for await (const request of untilAborted(requests, closing)) {
      assertShort(request);
      const messageResponse = answer(index, names, request, sent);
      yield { validHost: request.host, originalRequest: request, messageResponse };
    }
  }
  return [
    defineService(grpcReflectionV1.ServerReflectionDefinition, { serverReflectionInfo }),
    defineService(grpcReflectionV1alpha.ServerReflectionDefinition, { serverReflectionInfo }),
  ];
}

function assertShort({ host, messageRequest }: Request): void {
  const value = messageRequest?.value;
  const name = typeof value === "object" ? value.containingType : (value ?? "");
  const length = Math.max(host.length, name.length);
  if (length <= MAX_NAME_LENGTH) return;
  throw new DomainError("INVALID_ARGUMENT", `a name of ${length} characters, the bound is ${MAX_NAME_LENGTH}`);
}

function answer(
  index: DescriptorIndex,
  names: readonly string[],
  { messageRequest }: Request,
  sent: Set<string>,
): Answer {
  switch (messageRequest?.$case) {
    case "listServices":
      return { $case: "listServicesResponse", value: { service: names.map((name) => ({ name })) } };
    case "fileByFilename":
      return files(index, messageRequest.value, sent);
    case "fileContainingSymbol":
      return files(index, index.fileOfSymbol(messageRequest.value), sent);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = messageRequest.value;
      return files(index, index.fileOfExtension(containingType, extensionNumber), sent);
    }
    case "allExtensionNumbersOfType": {
      const extensionNumber = index.extensionNumbers(messageRequest.value);
      if (extensionNumber === undefined) return failed(Status.NOT_FOUND, "no such type");
      const value = { baseTypeName: messageRequest.value, extensionNumber: [...extensionNumber] };
      return { $case: "allExtensionNumbersResponse", value };
    }
    default:
      return failed(Status.INVALID_ARGUMENT, "the request asks for nothing that this version knows");
  }
}

function files(index: DescriptorIndex, name: string | undefined, sent: Set<string>): Answer {
  const known = new Set(sent);
  if (name !== undefined) known.delete(name);
  const found = name === undefined ? undefined : index.closure(name, known);
  if (found === undefined) return failed(Status.NOT_FOUND, "no file here defines that");
  for (const file of found) sent.add(file.name);
  // The file that was asked for comes first: some clients look no further.
  const fileDescriptorProto = found.map((file) => Buffer.from(file.bytes)).reverse();
  return { $case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function failed(errorCode: Status, errorMessage: string): Answer {
  return { $case: "errorResponse", value: { errorCode, errorMessage } };
}
