import { runService } from "@parfocal/runtime";
import { reembedSettings, startReembed } from "./server.ts";

await runService({ name: "reembed", settings: reembedSettings, start: startReembed });
