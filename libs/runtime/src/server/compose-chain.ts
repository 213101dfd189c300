import { composeServerMiddleware, type ServerMiddleware } from "nice-grpc-common";

/** Steps of a chain so far, the outermost first. */
export interface Chain<Scope> {
  readonly middleware: ServerMiddleware<Scope>;
  /** The chain with one step more, inside the others: it may use what they found out. */
  use<Found>(step: ServerMiddleware<Found, Scope>): Chain<Scope & Found>;
}

/** A chain of one step. Unlike a server's own, it can be run without one. */
export function composeChain<Scope>(middleware: ServerMiddleware<Scope>): Chain<Scope> {
  return { middleware, use: (step) => composeChain(composeServerMiddleware(middleware, step)) };
}
