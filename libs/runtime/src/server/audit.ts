import { Status } from "nice-grpc-common";
import type { AuditLog, AuditRecord } from "../security/audit-log.ts";
import { hostOfPeer } from "./authorizer.ts";
import type { CallOrigin } from "./call-origins.ts";
import type { EndedCall } from "./recover.ts";

/** What becomes of a call's code in a record when gRPC answered it because it could not be read. */
const UNREAD = "UNREAD";

/** The record of a call that went through the chain. */
export function recordOfCall(
  service: string,
  { origin, facts, requestId, status, durationMs }: EndedCall,
): AuditRecord {
  return {
    ...about(service, origin),
    requestId,
    principalKind: facts.principal?.kind,
    principal: facts.principal?.name,
    project: projectOf(facts.project),
    operation: facts.operation,
    code: Status[status],
    durationMs: roundMs(durationMs),
  };
}

/** What can be the id of a project. */
const PROJECT_ID = /^[A-Za-z0-9._-]{0,63}$/;

/** A project as records have it: anything else that a caller wrote in its place is his text, and of any length. */
function projectOf(project: string | undefined): string | undefined {
  return project === undefined || PROJECT_ID.test(project) ? project : "?";
}

/** Writes the record of a call that gRPC answered by itself: malformed, too large, or left before it was whole. */
export function recordUnread(audit: AuditLog, service: string, origin: CallOrigin): void {
  if (origin.isSeen) return;
  audit.record({ ...about(service, origin), code: UNREAD, durationMs: roundMs(performance.now() - origin.startedMs) });
}

function about(service: string, { method, peer }: CallOrigin) {
  return { time: new Date().toISOString(), service, method, host: hostOfPeer(peer) };
}

function roundMs(ms: number): number {
  return Math.round(ms * 10) / 10;
}
