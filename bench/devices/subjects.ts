import { headModel } from "../heads/head-model.ts";
import { startOwnSide } from "../lib/own-side.ts";
import { startMixerSide } from "../mixer/mixer-side.ts";
import { reembedModel } from "../reembed/reembed-model.ts";

/** A model on a device, with its input and its state in an engine. */
export interface Subject {
  /** What the serving graphs give, by output. */
  outputs(): Promise<Readonly<Record<string, Float32Array>>>;
  /** One prediction, or one encoding of all regions. */
  predict(): Promise<unknown>;
  /** Updates of the weights; gives their losses. */
  train(nSteps: number): Promise<number[]>;
  /** `[P]`, the gradient of the loss at the weights as they are. */
  gradients(): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Which model on which device. */
export interface SubjectOptions {
  /** `mixer`, `r2t`, `roformer` or a head. */
  readonly name: string;
  /** Tiles of the bag; regions of 189 tiles for `mixer`. */
  readonly n: number;
  readonly dropout: number;
  readonly device: string;
  readonly threads: number;
}

/** Starts an engine on the device and puts input and initial state into it. */
export async function startSubject({ name, n, dropout, device, threads }: SubjectOptions): Promise<Subject> {
  if (name === "mixer") return startMixer(n, device, threads);
  const model = name === "r2t" || name === "roformer" ? reembedModel(name, dropout) : headModel(name, dropout);
  const side = await startOwnSide({ model, n, threads, device });
  return { ...side, predict: () => side.predict(1) };
}

/** Preset S, regions of 3 × 3 coarse tiles on three magnifications. */
async function startMixer(nViews: number, device: string, threads: number): Promise<Subject> {
  const side = await startMixerSide({ dIn: 1280, mixer: {}, nViews, threads, device });
  return {
    outputs: async () => ({ tiles: (await side.encode(1, true)) ?? new Float32Array() }),
    predict: () => side.encode(1),
    train: (nSteps) => side.train(nSteps),
    gradients: () => side.gradients(),
    close: () => side.close(),
  };
}
