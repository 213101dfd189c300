import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describePretrainAndTrain } from "../lib/pretrain-and-train.ts";

describePretrainAndTrain("a local folder", async () => ({
  PARFOCAL_STORE: pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-e2e-"))).href,
}));
