import { runService } from "@parfocal/runtime";
import { gatewaySettings, startGateway } from "./server.ts";

await runService({ name: "gateway", settings: gatewaySettings, start: startGateway });
