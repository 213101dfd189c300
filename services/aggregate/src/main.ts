import { runService } from "@parfocal/runtime";
import { aggregateSettings, startAggregate } from "./server.ts";

await runService({ name: "aggregate", settings: aggregateSettings, start: startAggregate });
