import { runService } from "@parfocal/runtime";
import { pretrainSettings, startPretrain } from "./server.ts";

await runService({ name: "pretrain", settings: pretrainSettings, start: startPretrain });
