import { DomainError } from "@parfocal/errors";
import type { CompatServiceDefinition, ServiceImplementation } from "nice-grpc";
import type { CallScope } from "./call-scope.ts";

/** A service and what answers for it. Made by {@link defineService}. */
export interface ServerService {
  /** Full name, e.g. `parfocal.reembed.v1.ReembedService`. */
  readonly name: string;
  readonly definition: GeneratedDefinition & CompatServiceDefinition;
  readonly implementation: ServiceImplementation<CompatServiceDefinition, CallScope>;
}

/** The generated definitions: what ts-proto writes with `outputServices=generic-definitions`. */
export interface GeneratedDefinition {
  readonly name: string;
  readonly fullName: string;
  readonly methods: Readonly<Record<string, GeneratedMethod>>;
}

/** A method in a generated definition. */
export interface GeneratedMethod {
  readonly name: string;
  readonly requestType: GeneratedMessage;
  readonly requestStream: boolean;
  readonly responseType: GeneratedMessage;
  readonly responseStream: boolean;
  readonly options: object;
}

interface GeneratedMessage {
  encode(message: never): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
}

type Handler = (...args: never) => unknown;

/**
 * Binds handlers to a generated service definition. Methods without a handler answer UNIMPLEMENTED naming the method.
 */
export function defineService<Definition extends GeneratedDefinition & CompatServiceDefinition>(
  definition: Definition,
  handlers: Partial<ServiceImplementation<Definition, CallScope>>,
): ServerService {
  const implementation: Record<string, unknown> = {};
  for (const [key, method] of Object.entries(definition.methods)) {
    const handler = (handlers as Readonly<Record<string, Handler | undefined>>)[key];
    implementation[key] =
      handler?.bind(handlers) ?? unimplemented(`${definition.fullName}/${method.name}`, method.responseStream);
  }
  return {
    name: definition.fullName,
    definition,
    implementation: implementation as ServerService["implementation"],
  };
}

function unimplemented(method: string, isStream: boolean) {
  const error = () =>
    new DomainError("UNIMPLEMENTED", `${method} is part of the contract, and this service does not offer it`);
  if (!isStream) return () => Promise.reject(error());
  return () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error()) }) });
}
