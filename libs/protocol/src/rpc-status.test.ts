import { describe, expect, it } from "vitest";
import { packAny, unpackAny } from "./any.ts";
import { ErrorInfo, RetryInfo } from "./gen/google/rpc/error_details.ts";
import { decodeRpcStatus, encodeRpcStatus, findDetail } from "./rpc-status.ts";
import { durationFromMs } from "./time.ts";

const info = { reason: "EMPTY_BAG", domain: "parfocal", metadata: { n: "0" } };

describe("google.rpc.Status", () => {
  it("carries each detail there and back", () => {
    const details = {
      ErrorInfo: info,
      RetryInfo: { retryDelay: durationFromMs(1500) },
      BadRequest: { fieldViolations: [{ field: "a.b", description: "is 7", reason: "", localizedMessage: undefined }] },
      ResourceInfo: { resourceType: "t", resourceName: "n", owner: "", description: "" },
      PreconditionFailure: { violations: [{ type: "ETAG", subject: "s", description: "d" }] },
    };
    const status = decodeRpcStatus(encodeRpcStatus({ code: 3, message: "text", details }))!;
    expect([status.code, status.message, status.details.length]).toEqual([3, "text", 5]);
    for (const kind of Object.keys(details) as (keyof typeof details)[])
      expect(findDetail(status, kind)).toEqual(details[kind]);
  });

  it("gives nothing for bytes that are none, and for details that are absent or damaged", () => {
    expect(decodeRpcStatus(Uint8Array.of(0xff))).toBeUndefined();
    const damaged = { typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", value: Buffer.from([0x0a, 0x7f]) };
    expect(findDetail({ code: 3, message: "", details: [damaged] }, "ErrorInfo")).toBeUndefined();
    expect(findDetail({ code: 3, message: "", details: [] }, "RetryInfo")).toBeUndefined();
  });
});

describe("Any", () => {
  it("is read by the last part of its type URL alone", () => {
    const any = packAny("google.rpc.ErrorInfo", ErrorInfo, info);
    expect(any.typeUrl).toBe("type.googleapis.com/google.rpc.ErrorInfo");
    expect(unpackAny("google.rpc.ErrorInfo", ErrorInfo, { ...any, typeUrl: "elsewhere/google.rpc.ErrorInfo" })).toEqual(
      info,
    );
    expect(unpackAny("google.rpc.RetryInfo", RetryInfo, any)).toBeUndefined();
    expect(unpackAny("google.rpc.ErrorInfo", ErrorInfo, undefined)).toBeUndefined();
  });

  it("that names the type and holds something else is refused", () => {
    const any = { typeUrl: "x/google.rpc.ErrorInfo", value: Buffer.from([0x0a, 0x7f]) };
    expect(() => unpackAny("google.rpc.ErrorInfo", ErrorInfo, any)).toThrow("google.rpc.ErrorInfo");
  });
});
