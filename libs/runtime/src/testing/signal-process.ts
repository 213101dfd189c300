/** A process for the test of `runUntilSignal`: serves one call that lasts until it is ended, and tells what happens. */
import { runUntilSignal } from "../server/run-until-signal.ts";
import { createSilentLogger } from "../telemetry/logger.ts";
import { startEchoServer } from "./echo-server.ts";

const report = await runUntilSignal({
  logger: createSilentLogger(),
  start: async () => {
    const server = await startEchoServer({
      config: { drainMs: 3_600_000 },
      behaviour: async ({ signal, draining }) => {
        draining.addEventListener("abort", () => console.log("draining"));
        console.log("handling");
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        throw signal.reason;
      },
    });
    // Whoever reads the address may send a signal, although the start is not over yet.
    console.log(server.address);
    await new Promise((resolve) => setTimeout(resolve, 50));
    return { server, close: () => console.log("closed") };
  },
});
console.log(report.outcome);
