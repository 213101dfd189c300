/**
 * @file The named recipes, in the contract's own JSON: what a client gets is what it may change and send to Train. Legend of
 * the names: method, then cohort, then tile encoder where the recipe was tuned for them.
 */
import { gatewayV1 } from "@parfocal/protocol";

type Json = Readonly<Record<string, unknown>>;

/** Tiles reach the pooling as the re-embedder leaves them. */
const NO_TRUNK = { hidden: [], activation: "ACTIVATION_RELU", dropout: 0 };

const R2T_BASE = {
  compat: "COMPAT_REFERENCE",
  grid: "GRID_STORAGE",
  stemWidth: 512,
  stemActivation: "ACTIVATION_RELU",
  stemDropout: 0.25,
  nLayers: 2,
  heads: 8,
  qkvBias: true,
  epegKernel: 15,
  crmsa: true,
  crmsaK: 3,
  crmsaHeads: 8,
  crmsaMlp: false,
  allShortcut: false,
  ffn: false,
  ffnRatio: 4,
  ffnActivation: "ACTIVATION_GELU",
  dropout: 0.1,
  dropPath: 0,
  regionNum: 8,
  regionSize: 0,
  minRegionNum: 0,
  minRegionRatio: 0,
  position: "POSITION_NONE",
  positionPlace: "POSITION_PLACE_FIRST",
  positionKernel: 7,
  position1d: false,
};

const R2T_HEAD = {
  trunk: NO_TRUNK,
  abmil: {
    attentionWidth: 128,
    gated: false,
    dropout: 0,
    branches: "BRANCHES_SHARED",
    activation: "ACTIVATION_TANH",
    bias: false,
  },
};

/** Both parts are drawn by patient: the program selected on its test fold, which is not repeated. */
function r2tRecipe(stopping: { readonly patience: number; readonly minEpochs: number }): Json {
  return {
    epochs: 200,
    batchSize: 1,
    optimiser: { kind: "KIND_ADAM", learningRate: 2e-4, weightDecay: 1e-5, beta1: 0.9, beta2: 0.999 },
    schedule: { kind: "KIND_COSINE", warmupEpochs: 0, floor: 0 },
    earlyStopping: { ...stopping, metric: "METRIC_TASK" },
    labelSmoothing: 0,
    classWeights: "CLASS_WEIGHTS_NONE",
    sampling: "SAMPLING_SHUFFLE",
    selection: "SELECTION_BEST",
  };
}

const CAMELYON = r2tRecipe({ patience: 30, minEpochs: 130 });
const TCGA = r2tRecipe({ patience: 20, minEpochs: 70 });

function r2t(cohort: string, settings: Json, recipe: Json): Json {
  const architecture = { reembedder: { r2t: { ...R2T_BASE, ...settings } }, head: R2T_HEAD };
  return {
    name: `r2t-${cohort}`,
    description: "R2T-MIL (Tang et al., CVPR 2024) with the settings of its public program for this cohort and encoder",
    spec: { architecture, recipe },
  };
}

/** Every slide of a case is in one bag; four intervals of time are what the task has unless told. */
const R2T_SURVIVAL: Json = {
  name: "r2t-survival",
  description:
    "R2T-MIL (Tang et al., CVPR 2024) with the survival settings of its public program, in the middle of the grid that it searched; it reported the best epoch of its test folds, here the last counts",
  spec: {
    architecture: {
      reembedder: { r2t: { ...R2T_BASE, regionNum: 16 } },
      head: { ...R2T_HEAD, abmil: { ...R2T_HEAD.abmil, activation: "ACTIVATION_RELU" } },
    },
    recipe: {
      epochs: 30,
      batchSize: 1,
      optimiser: { kind: "KIND_ADAM", learningRate: 2e-4, weightDecay: 1e-5, beta1: 0.9, beta2: 0.999 },
      schedule: { kind: "KIND_COSINE", warmupEpochs: 0, floor: 0 },
      labelSmoothing: 0,
      classWeights: "CLASS_WEIGHTS_NONE",
      sampling: "SAMPLING_SHUFFLE",
      selection: "SELECTION_LAST",
    },
    groups: { kind: "KIND_JOINED" },
  },
};

const ROFORMER = {
  width: 512,
  depth: 1,
  heads: 8,
  mlpRatio: 4,
  dropout: 0.25,
  rotary: "ROTARY_PIXEL",
  maxFrequency: 400,
  base: 10_000,
  absolute: "ABSOLUTE_NONE",
};

function roformerRecipe(batchSize: number): Json {
  return {
    epochs: 50,
    batchSize,
    optimiser: { kind: "KIND_ADAM", learningRate: 1e-4, weightDecay: 1e-5, beta1: 0.9, beta2: 0.999 },
    schedule: { kind: "KIND_PLATEAU", warmupEpochs: 0, floor: 0, factor: 0.1, patience: 5 },
    earlyStopping: { patience: 10, minEpochs: 0, metric: "METRIC_TASK" },
    labelSmoothing: 0,
    classWeights: "CLASS_WEIGHTS_NONE",
    sampling: "SAMPLING_SHUFFLE",
    selection: "SELECTION_BEST",
  };
}

const DSMIL_HEAD = {
  trunk: NO_TRUNK,
  dsmil: {
    query: "QUERY_DEEP",
    queryWidth: 128,
    value: "VALUE_IDENTITY",
    valueIsLinear: false,
    valueDropout: 0,
    instanceWeight: 0.5,
  },
};

const CLASS_ATTENTION_HEAD = {
  trunk: { hidden: [512], activation: "ACTIVATION_RELU", dropout: 0.25 },
  classAttention: { attentionWidth: 256, heads: 8, branches: "BRANCHES_PER_CLASS" },
};

const ROFORMER_SOURCE =
  "RoFormer for position-aware MIL (Pochet et al. 2023); early stopping watches AUROC, not accuracy as the paper";

const GATED_ABMIL: Json = {
  name: "gated-abmil",
  description: "Gated attention pooling (Ilse et al. 2018) with the usual settings for slides",
  spec: {
    architecture: {
      head: {
        trunk: { hidden: [512], activation: "ACTIVATION_RELU", dropout: 0.25 },
        abmil: {
          attentionWidth: 256,
          gated: true,
          dropout: 0.25,
          branches: "BRANCHES_SHARED",
          activation: "ACTIVATION_TANH",
          bias: true,
        },
      },
    },
    recipe: {
      epochs: 200,
      batchSize: 1,
      optimiser: { kind: "KIND_ADAMW", learningRate: 1e-4, weightDecay: 1e-5, beta1: 0.9, beta2: 0.999 },
      schedule: { kind: "KIND_CONSTANT", warmupEpochs: 0, floor: 0 },
      earlyStopping: { patience: 20, minEpochs: 20, metric: "METRIC_TASK" },
      labelSmoothing: 0,
      classWeights: "CLASS_WEIGHTS_NONE",
      sampling: "SAMPLING_SHUFFLE",
      selection: "SELECTION_BEST",
    },
  },
};

const DSMIL: Json = {
  name: "dsmil",
  description: "Dual-stream MIL (Li et al. 2021) with the settings of its public program",
  spec: {
    architecture: { head: DSMIL_HEAD },
    recipe: {
      epochs: 50,
      batchSize: 1,
      optimiser: { kind: "KIND_ADAM", learningRate: 1e-4, weightDecay: 1e-3, beta1: 0.5, beta2: 0.9 },
      schedule: { kind: "KIND_COSINE", warmupEpochs: 0, floor: 0.05 },
      earlyStopping: { patience: 10, minEpochs: 0, metric: "METRIC_TASK" },
      labelSmoothing: 0,
      classWeights: "CLASS_WEIGHTS_NONE",
      sampling: "SAMPLING_SHUFFLE",
      selection: "SELECTION_BEST",
    },
  },
};

const SLIDE_TRUNK = { hidden: [512], activation: "ACTIVATION_RELU", dropout: 0.25 };

function clam(name: "clam-mb" | "clam-sb", branches: string): Json {
  return {
    name,
    description: `CLAM-${name.slice(-2).toUpperCase()} (Lu et al. 2021) with the settings of its paper and public program`,
    spec: {
      architecture: {
        head: {
          trunk: SLIDE_TRUNK,
          clam: {
            branches,
            attentionWidth: 256,
            attentionDropout: 0.25,
            instances: 8,
            instanceLoss: "LOSS_SMOOTH_SVM",
            bagLoss: "LOSS_CROSS_ENTROPY",
            instanceWeight: 0.3,
            subtyping: false,
          },
        },
      },
      recipe: {
        epochs: 200,
        batchSize: 1,
        optimiser: { kind: "KIND_ADAM", learningRate: 1e-4, weightDecay: 1e-5, beta1: 0.9, beta2: 0.999 },
        schedule: { kind: "KIND_CONSTANT", warmupEpochs: 0, floor: 0 },
        earlyStopping: { patience: 20, minEpochs: 50, metric: "METRIC_LOSS" },
        labelSmoothing: 0,
        classWeights: "CLASS_WEIGHTS_NONE",
        sampling: "SAMPLING_SHUFFLE",
        selection: "SELECTION_BEST",
      },
    },
  };
}

const TRANSMIL: Json = {
  name: "transmil",
  description: "TransMIL (Shao et al. 2021) as its public program has it",
  spec: {
    architecture: {
      head: {
        trunk: { hidden: [512], activation: "ACTIVATION_RELU", dropout: 0 },
        transmil: { heads: 8, landmarks: 256, pinvSteps: 6, convTaps: 33, attentionDropout: 0.1 },
      },
    },
    recipe: {
      epochs: 200,
      batchSize: 2,
      optimiser: {
        ...{ kind: "KIND_RADAM", learningRate: 2e-4, weightDecay: 1e-5, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
        lookahead: { steps: 6, alpha: 0.5 },
      },
      schedule: { kind: "KIND_CONSTANT", warmupEpochs: 0, floor: 0 },
      earlyStopping: { patience: 10, minEpochs: 0, metric: "METRIC_LOSS" },
      labelSmoothing: 0,
      classWeights: "CLASS_WEIGHTS_NONE",
      sampling: "SAMPLING_SHUFFLE",
      selection: "SELECTION_BEST",
    },
  },
};

function dtfd(name: string, distill: string): Json {
  return {
    name,
    description:
      "DTFD-MIL (Zhang et al. 2022) as its public program has it, without its clipping and its step at epoch 100",
    spec: {
      architecture: {
        head: {
          trunk: { hidden: [512], activation: "ACTIVATION_RELU", dropout: 0 },
          dtfd: { groups: 4, distill, instances: 1, attentionWidth: 128, attentionDropout: 0, splits: 5 },
        },
      },
      recipe: {
        epochs: 200,
        batchSize: 1,
        optimiser: { kind: "KIND_ADAM", learningRate: 1e-4, weightDecay: 1e-4, beta1: 0.9, beta2: 0.999 },
        schedule: { kind: "KIND_CONSTANT", warmupEpochs: 0, floor: 0 },
        labelSmoothing: 0,
        classWeights: "CLASS_WEIGHTS_NONE",
        sampling: "SAMPLING_SHUFFLE",
        selection: "SELECTION_BEST",
      },
    },
  };
}

/** Fine-tuning of a pretrained mixer of one of the three sizes, which it starts from. */
function regionMixer(
  size: string,
  sizes: { readonly width: number; readonly depth: number; readonly heads: number },
): Json {
  return {
    name: `region-mixer-${size}`,
    description: `Fine-tuning of a region mixer of size ${size} (Zimmermann et al. 2026); step size, decay, schedule, smoothing and widths, which the paper leaves open, are ours`,
    spec: {
      architecture: {
        reembedder: {
          regionMixer: {
            ...{ output: "OUTPUT_CONTEXTUALISED", regionTiles: 3, levelCount: 3, levels: [0, 1, 2] },
            ...{ ...sizes, innerRatio: 8 / 3, classTokens: 4, dropout: 0, levelNorm: false },
            ...{ layerScaleInit: 0, dropPath: 0 },
          },
        },
        head: {
          trunk: NO_TRUNK,
          abmil: {
            attentionWidth: 512,
            gated: true,
            dropout: 0,
            branches: "BRANCHES_SHARED",
            activation: "ACTIVATION_TANH",
            bias: true,
          },
        },
      },
      recipe: {
        epochs: 20,
        batchSize: 32,
        optimiser: { kind: "KIND_ADAMW", learningRate: 1e-4, weightDecay: 0.05, beta1: 0.9, beta2: 0.999 },
        schedule: { kind: "KIND_COSINE", warmupEpochs: 1, floor: 0 },
        labelSmoothing: 0.1,
        classWeights: "CLASS_WEIGHTS_NONE",
        sampling: "SAMPLING_SHUFFLE",
        selection: "SELECTION_BEST",
        layerDecay: 0.75,
        frozenEpochs: 1,
      },
    },
  };
}

/** Every preset, in the order of the names. Task, seed and split are left to the caller. */
export const PRESETS: readonly gatewayV1.Preset[] = [
  clam("clam-mb", "BRANCHES_PER_CLASS"),
  clam("clam-sb", "BRANCHES_SHARED"),
  DSMIL,
  dtfd("dtfd-afs", "DISTILL_AFS"),
  dtfd("dtfd-maxmins", "DISTILL_MAX_MIN"),
  dtfd("dtfd-maxs", "DISTILL_MAX"),
  GATED_ABMIL,
  r2t("brca-plip", { epegKernel: 15, crmsaK: 1, crmsaHeads: 8, allShortcut: true }, TCGA),
  r2t("brca-r50", { epegKernel: 17, crmsaK: 3, crmsaHeads: 1 }, TCGA),
  r2t("camelyon16-plip", { epegKernel: 9, crmsaK: 3, crmsaHeads: 8, allShortcut: true }, CAMELYON),
  r2t("camelyon16-r50", { epegKernel: 15, crmsaK: 1, crmsaHeads: 8, allShortcut: true }, CAMELYON),
  r2t("nsclc-plip", { epegKernel: 13, crmsaK: 3, crmsaHeads: 1, crmsaMlp: true, allShortcut: true }, TCGA),
  r2t("nsclc-r50", { epegKernel: 21, crmsaK: 5, crmsaHeads: 8 }, TCGA),
  R2T_SURVIVAL,
  regionMixer("b", { width: 768, depth: 12, heads: 12 }),
  regionMixer("m", { width: 512, depth: 8, heads: 8 }),
  regionMixer("s", { width: 384, depth: 6, heads: 6 }),
  {
    name: "ro-abmil",
    description: ROFORMER_SOURCE,
    spec: {
      architecture: { reembedder: { roformer: ROFORMER }, head: CLASS_ATTENTION_HEAD },
      recipe: roformerRecipe(4),
    },
  },
  {
    name: "ro-dsmil",
    description: ROFORMER_SOURCE,
    spec: { architecture: { reembedder: { roformer: ROFORMER }, head: DSMIL_HEAD }, recipe: roformerRecipe(4) },
  },
  TRANSMIL,
].map((preset) => gatewayV1.Preset.fromJSON(preset));
