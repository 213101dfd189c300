import type { ServerMiddleware } from "nice-grpc-common";

/**
 * Checks of requests by `package.Service/Method`. Each throws a `DomainError` INVALID_ARGUMENT with `details.field`.
 * On request streams they see every message.
 */
export type Validators = Readonly<Record<string, (request: unknown) => void>>;

async function* checked<T>(requests: AsyncIterable<T>, check: (request: unknown) => void): AsyncGenerator<T> {
  for await (const request of requests) {
    check(request);
    yield request;
  }
}

/** Runs the method's check before its handler sees the request. */
export function createValidate(validators: Validators): ServerMiddleware {
  return async function* validate(call, context) {
    const check = validators[call.method.path.slice(1)];
    if (check === undefined) return yield* call.next(call.request, context);
    if (call.requestStream) return yield* call.next(checked(call.request, check), context);
    check(call.request);
    return yield* call.next(call.request, context);
  };
}
