/** A process for the test of `runService`: its start fails and leaves a server open. */
import { createServer } from "node:net";
import { DomainError } from "@parfocal/errors";
import { runService } from "../server/run-service.ts";

await runService({
  name: "failing",
  settings: {},
  start: () => {
    createServer().listen(0, "127.0.0.1");
    return Promise.reject(new DomainError("UNREACHABLE", "nobody answered"));
  },
});
