import { DOMAIN_ERROR_CODES, DomainError } from "@parfocal/errors";
import { decodeRpcStatus, findDetail, googleRpc, msFromDuration, STATUS_DETAILS_KEY } from "@parfocal/protocol";
import { ClientError, Metadata, ServerError, Status } from "nice-grpc-common";
import { describe, expect, it } from "vitest";
import { CODE_BY_STATUS, type RpcError, STATUS_BY_CODE, statusFromError, toRpcError } from "./error-map.ts";
import { domainErrorFromRpc, domainErrorFromStatus } from "./errors/domain-error-from-rpc.ts";

/** The error as the other side of a connection has it. */
function received(rpcError: RpcError): DomainError {
  const trailer = Metadata({ [STATUS_DETAILS_KEY]: rpcError.statusDetails });
  return domainErrorFromRpc(new ClientError("/a.B/C", rpcError.status, rpcError.message), trailer) as DomainError;
}

function statusOf(rpcError: RpcError) {
  return decodeRpcStatus(rpcError.statusDetails)!;
}

describe("the error map", () => {
  it.each(DOMAIN_ERROR_CODES)("%s has a status that is neither OK nor UNKNOWN, and comes back as it left", (code) => {
    const sent = new DomainError(code, `what happened: 7, the bound is 5`, { details: { value: "7", bound: "5" } });
    const rpcError = toRpcError(sent);
    expect([Status.OK, Status.UNKNOWN]).not.toContain(STATUS_BY_CODE[code]);
    expect(rpcError.status).toBe(STATUS_BY_CODE[code]);
    const back = received(rpcError);
    expect(back).toBeInstanceOf(DomainError);
    expect([back.code, back.message]).toEqual([code, sent.message]);
    expect(back.details).toMatchObject(sent.details);
  });

  it.each(DOMAIN_ERROR_CODES)("%s carries ErrorInfo with its code as reason", (code) => {
    const status = statusOf(toRpcError(new DomainError(code, "text", { details: { n: "1" } })));
    expect(findDetail(status, "ErrorInfo")).toEqual({ reason: code, domain: "parfocal", metadata: { n: "1" } });
    expect([status.code, status.message]).toEqual([STATUS_BY_CODE[code], "text"]);
  });

  it("says when to come back exactly for what waiting can cure", () => {
    const withRetry = DOMAIN_ERROR_CODES.filter((code) =>
      findDetail(statusOf(toRpcError(new DomainError(code, ""))), "RetryInfo"),
    );
    expect(withRetry.sort()).toEqual(["RESOURCE_EXHAUSTED", "THROTTLED", "UNREACHABLE"]);
  });

  it("takes the wait from the error when it names one, and ignores an absurd one", () => {
    const waitOf = (retryAfterMs: string) => {
      const status = statusOf(toRpcError(new DomainError("THROTTLED", "", { details: { retryAfterMs } })));
      return msFromDuration(findDetail(status, "RetryInfo")!.retryDelay!);
    };
    expect([waitOf("1500"), waitOf("-1"), waitOf("1e99"), waitOf("soon")]).toEqual([1500, 2000, 2000, 2000]);
  });

  it("names the bad field as google.rpc.BadRequest does", () => {
    const error = new DomainError("INVALID_ARGUMENT", "page_size is 5000, the bound is 1000", {
      details: { field: "page_size" },
    });
    expect(findDetail(statusOf(toRpcError(error)), "BadRequest")?.fieldViolations).toMatchObject([
      { field: "page_size", description: error.message },
    ]);
  });

  it("describes the missing resource and the broken precondition when the error does", () => {
    const missing = new DomainError("NOT_FOUND", "no such model", { details: { resourceType: "parfocal/Model" } });
    const broken = new DomainError("PRECONDITION_FAILED", "changed since", {
      details: { precondition: "ETAG", subject: "alias" },
    });
    expect(findDetail(statusOf(toRpcError(missing)), "ResourceInfo")).toMatchObject({ resourceType: "parfocal/Model" });
    expect(findDetail(statusOf(toRpcError(broken)), "PreconditionFailure")?.violations).toEqual([
      { type: "ETAG", subject: "alias", description: "changed since" },
    ]);
  });

  it.each([[new TypeError("patient 4711")], ["patient 4711"], [undefined], [{ patient: 4711 }]])(
    "tells nothing of %o but the number of the incident",
    (thrown) => {
      const rpcError = toRpcError(thrown);
      expect([rpcError.status, rpcError.code]).toEqual([Status.INTERNAL, "INTERNAL"]);
      expect(rpcError.incidentId).toMatch(/^[0-9a-f-]{36}$/);
      expect(rpcError.message).toContain(rpcError.incidentId);
      expect(Buffer.concat([Buffer.from(rpcError.message), rpcError.statusDetails]).includes("4711")).toBe(false);
    },
  );

  it("never gives two incidents one number", () => {
    expect(new Set(Array.from({ length: 100 }, () => toRpcError(new Error()).incidentId)).size).toBe(100);
  });

  it.each([
    ["x".repeat(100_000)],
    ["ü".repeat(100_000)],
    ["\u{1f52c}".repeat(50_000)],
    ["\ud800".repeat(9000)],
    [" ".repeat(9000)],
  ])("stays under 8 KB of headers, whatever the text", (text) => {
    const details = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`key${i}`, text]));
    const rpcError = toRpcError(new DomainError("INVALID_ARGUMENT", text, { details: { field: text, ...details } }));
    const headerBytes = encodeURIComponent(rpcError.message).length + rpcError.statusDetails.toString("base64").length;
    expect(headerBytes).toBeLessThan(8000);
    expect(received(rpcError).code).toBe("INVALID_ARGUMENT");
  });

  it("keeps the status of a ServerError that a library threw", () => {
    expect(toRpcError(new ServerError(Status.OUT_OF_RANGE, "beyond the end"))).toMatchObject({
      status: Status.OUT_OF_RANGE,
      code: "INVALID_ARGUMENT",
      message: "beyond the end",
    });
  });
});

describe("domainErrorFromRpc", () => {
  const statuses = Object.values(Status).filter((status): status is Status => typeof status === "number");

  it.each(statuses.filter((status) => status !== Status.OK))(
    "understands the bare status %s of a foreign server",
    (status) => {
      const error = domainErrorFromRpc(new ClientError("/a.B/C", status, "said so"), Metadata());
      expect(error).toMatchObject({ code: CODE_BY_STATUS[status] ?? "INTERNAL", message: "said so" });
    },
  );

  it("takes ErrorInfo of another domain, or with a code it does not know, for what the status says", () => {
    for (const [domain, reason] of [
      ["googleapis.com", "EMPTY_BAG"],
      ["parfocal", "NEWER_CODE"],
    ] as const) {
      const info = googleRpc.ErrorInfo.encode({ domain, reason, metadata: {} }).finish();
      const details = [{ typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", value: Buffer.from(info) }];
      const bytes = googleRpc.Status.encode({ code: Status.NOT_FOUND, message: "m", details }).finish();
      const error = domainErrorFromRpc(
        new ClientError("/a.B/C", Status.NOT_FOUND, "m"),
        Metadata({ [STATUS_DETAILS_KEY]: bytes }),
      );
      expect(error).toMatchObject({ code: "NOT_FOUND" });
    }
  });

  it("survives a trailer that is no status", () => {
    const trailer = Metadata({ [STATUS_DETAILS_KEY]: Uint8Array.of(255, 255, 255) });
    expect(domainErrorFromRpc(new ClientError("/a.B/C", Status.DATA_LOSS, "m"), trailer)).toMatchObject({
      code: "CORRUPT",
    });
  });

  it("leaves alone what is no gRPC error", () => {
    const error = new TypeError("ours");
    expect(domainErrorFromRpc(error)).toBe(error);
  });

  it("brings the error of an operation back as it was, and takes a bare status for the nearest code", () => {
    const sent = new DomainError("EMPTY_BAG", "no tiles", { details: { value: "0" } });
    expect(domainErrorFromStatus(statusFromError(sent))).toMatchObject({
      ...{ code: "EMPTY_BAG", message: "no tiles", details: { value: "0" } },
    });
    const bare = { code: Status.RESOURCE_EXHAUSTED, message: "later", details: [] };
    expect(domainErrorFromStatus(bare)).toMatchObject({ code: "RESOURCE_EXHAUSTED", message: "later" });
  });
});
