import { describe, expect, it } from "vitest";
import { classifyS3Error } from "./s3-error.ts";

describe("errors of the S3 client", () => {
  it.each([
    "EAI_AGAIN",
    "ECONNRESET",
    "EPROTO",
    "HPE_INVALID_CONSTANT",
    "ERR_SOCKET_CONNECTION_TIMEOUT",
    "ERR_STREAM_PREMATURE_CLOSE",
    "ERR_HTTP2_STREAM_ERROR",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "ERR_SSL_WRONG_VERSION_NUMBER",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  ])("of the connection are UNREACHABLE and worth another try: %s", (code) => {
    const failure = classifyS3Error(Object.assign(new Error("x"), { code }));
    expect(failure).toMatchObject({ error: { code: "UNREACHABLE" }, isRetryable: true });
    expect(failure.error.message).toBe(`no connection to the store: ${code}`);
  });

  it.each(["ERR_INVALID_ARG_TYPE", "ERR_INVALID_CHAR"])(
    "of the program are INTERNAL and are not tried again: %s",
    (code) => {
      const failure = classifyS3Error(Object.assign(new TypeError("x"), { code }));
      expect(failure).toMatchObject({ error: { code: "INTERNAL" }, isRetryable: false });
    },
  );
});
