/** A process for the test of `runUntilSignal`: serves one call that lasts until it is ended, and tells what happens. */
import { runUntilSignal } from "../server/run-until-signal.ts";
import { createSilentLogger } from "../telemetry/logger.ts";
import { startEchoServer } from "./echo-server.ts";

const server = await startEchoServer({
  config: { drainMs: 3_600_000 },
  behaviour: async ({ signal, draining }) => {
    draining.addEventListener("abort", () => console.log("draining"));
    console.log("handling");
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    throw signal.reason;
  },
});
const stopped = runUntilSignal({ server, logger: createSilentLogger(), close: () => console.log("closed") });
// Only now: whoever reads the address may send a signal.
console.log(server.address);
console.log((await stopped).outcome);
