import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { DomainError } from "@parfocal/errors";
import { gatewayV1 } from "@parfocal/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkExperiment } from "../actions/experiment.ts";
import type { GatewayClients } from "../client/clients.ts";
import { createOutput } from "../output/output.ts";
import type { CommandContext } from "../run-command.ts";
import { loadExperiment } from "./load-experiment.ts";
import { prepareExperiment } from "./prepare-experiment.ts";

const EXPERIMENT = `name: a
data: {labels: labels.csv}
model:
  preset: abmill
  start_from: mixer
variants:
  - {name: first, model: {preset: clam}}
  - {name: second}
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "look-up-base-"));
  await writeFile(join(folder, "labels.csv"), "slide_id,label\ns1,a\ns2,b\n");
  await writeFile(join(folder, "exp.yaml"), EXPERIMENT);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const PRESETS = { presets: [gatewayV1.Preset.fromPartial({ name: "abmil" })] };

/** A gateway that knows one preset, and answers about models as told. */
function clientsThat(getModel: () => Promise<gatewayV1.GetModelResponse>): GatewayClients {
  const training = { listPresets: async () => PRESETS };
  return { models: { getModel }, training } as unknown as GatewayClients;
}

const withoutModels = clientsThat(() => Promise.reject(new DomainError("NOT_FOUND", "no such model")));
const withModels = clientsThat(async () => gatewayV1.GetModelResponse.fromPartial({ model: { name: "m" } }));

function contextWith(clients: GatewayClients | undefined) {
  const stderr = new PassThrough();
  const running = clients && { clients, address: "", isEmbedded: false, close: () => Promise.resolve() };
  const context: CommandContext = {
    output: createOutput(false, { stdout: new PassThrough(), stderr }),
    signal: new AbortController().signal,
    ...{ project: "p", parent: "projects/p", env: {}, gateway: undefined },
    connect: () => Promise.reject(new Error("it started a gateway")),
    connectRunning: () => Promise.resolve(running),
  };
  return { context, told: () => (stderr.read() as Buffer | null)?.toString() ?? "" };
}

/** What checking the file says: its exit code or its error, without the folder's path, and its notes. */
async function check(clients: GatewayClients | undefined, overrides: readonly string[] = []) {
  const { context, told } = contextWith(clients);
  const short = (text: string) => text.replaceAll(`${folder}/`, "");
  const said = await checkExperiment(context, join(folder, "exp.yaml"), overrides).catch((error: unknown) =>
    short((error as Error).message).split("\n"),
  );
  return [said, short(told())];
}

const NO_PRESET = "there is no preset abmill; there are abmil";

describe("checking an experiment", () => {
  it("tells presets and models that a running gateway has not, those of variants too, each once", async () => {
    const [said, notes] = await check(withoutModels);
    expect(said).toEqual([
      `exp.yaml:4:11: model.preset: ${NO_PRESET}`,
      'exp.yaml:5:15: model.start_from: projects/p has no model "mixer"',
      "exp.yaml:7:35: variant first: model.preset: there is no preset clam; there are abmil",
    ]);
    expect(notes).toBe("");
  });

  it("names the override that made it, and text that names no model", async () => {
    const overrides = ["model.preset=r2t", "model.start_from=m@", "variants="];
    expect((await check(withoutModels, overrides))[0]).toEqual([
      "exp.yaml: override model.preset=r2t: model.preset: there is no preset r2t; there are abmil",
      'exp.yaml: override model.start_from=m@: model.start_from: "m@" is no model id, id@alias or resource name',
    ]);
  });

  it("says in one line what nobody could be asked, and nothing where there is nothing to ask", async () => {
    const line = 'exp.yaml: not checked: model.preset "abmill", model.start_from "mixer", model.preset "clam"';
    expect(await check(undefined)).toEqual([0, `${line} (no gateway runs)\n`]);
    const gone = clientsThat(() => Promise.reject(new DomainError("UNREACHABLE", "it is gone")));
    expect(await check(gone)).toEqual([0, `${line} (UNREACHABLE: it is gone)\n`]);
    expect(await check(undefined, ["model=", "variants="])).toEqual([0, ""]);
  });

  it("finds nothing wrong where everything is there", async () => {
    expect(await check(withModels, ["model.preset=abmil", "variants="])).toEqual([0, ""]);
  });
});

describe("preparing an experiment", () => {
  it("is refused with every place where the gateway has neither preset nor model, before anything is imported", async () => {
    const loaded = await loadExperiment(join(folder, "exp.yaml"), ["variants="]);
    await expect(prepareExperiment(contextWith(undefined).context, withoutModels, loaded)).rejects.toThrow(
      new RegExp(
        `exp\\.yaml:4:11: model\\.preset: ${NO_PRESET}\n.*exp\\.yaml:5:15: model\\.start_from: projects/p has`,
      ),
    );
  });

  it("passes on what the gateway refuses for other reasons", async () => {
    const loaded = await loadExperiment(join(folder, "exp.yaml"), ["model.preset=abmil", "variants="]);
    const closed = clientsThat(() => Promise.reject(new DomainError("FORBIDDEN", "not yours")));
    const { context } = contextWith(undefined);
    await expect(prepareExperiment(context, closed, loaded)).rejects.toMatchObject({ code: "FORBIDDEN" });
  });
});
