import { z } from "zod";
import { HEADS, headCaseOf, REEMBEDDERS, reembedderCaseOf } from "../cohort/architecture-options.ts";
import { SPEC_SECTIONS, typeOf } from "../cohort/spec-paths.ts";
import { type ContractShapeOptions, contractShape, group, TEXT } from "./contract-schema.ts";
import { snakeCase } from "./field-names.ts";

const COMMON = "parfocal.common.v1";

/** Most variants: more comparisons than pairs of these say little about any of them. */
const MAX_VARIANTS = 16;

/** Fields that the word for a kind stands for. */
const SAID_BY_KIND: Readonly<Record<string, ContractShapeOptions>> = {
  abmil: { omit: ["gated"] },
  clam: { omit: ["branches"] },
};

const MODEL_ID_PATTERN = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const MODEL_ID = "a model id: 1 to 63 of a-z, 0-9, '.', '_' and '-', with a letter or digit first";

const wholeFrom = (min: number, max: number) => {
  const error = `a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
};

const PATH = z.string({ error: "a path" }).min(1);

const SECTION_OPTIONS: Readonly<Record<string, ContractShapeOptions>> = {
  recipe: { omit: ["seed"], removable: ["earlyStopping"] },
};

const BESIDE: Readonly<Record<string, Record<string, z.ZodOptional>>> = {
  split: { folds: wholeFrom(2, 100).optional(), repeats: wholeFrom(1, 20).optional() },
};

const seedError = "a whole number from 0 to below 2^64";
const SEED = z.union(
  [
    z.int().min(0).transform(BigInt),
    z
      .string()
      .refine((digits) => /^\d{1,20}$/.test(digits) && BigInt(digits) < 1n << 64n)
      .transform(BigInt),
  ],
  { error: seedError },
);

const listOf = <T extends z.ZodType>(item: T, error: string) =>
  z.union([z.array(item, { error }).min(1, { error }), item.transform((only) => [only])], { error });

const headSchemas = HEADS.map((kind) => {
  const message = headCaseOf(kind);
  const shape = contractShape(typeOf("Head", message) ?? "", SAID_BY_KIND[message]);
  const trunk = group(contractShape(`${COMMON}.Trunk`)).optional();
  return group({ kind: z.literal(kind), trunk, ...shape });
});

const reembedSchemas = REEMBEDDERS.map((kind) => {
  const message = typeOf("Reembedder", reembedderCaseOf(kind));
  const shape = message === undefined ? {} : contractShape(message);
  return group({ kind: z.literal(kind), ...shape });
});

type Members<T> = [T, ...T[]];

const CHANGES = z.record(z.string(), z.unknown(), { error: "a group of named values" }).optional();

const variantsError = `a list of 2 to ${MAX_VARIANTS} variants`;

/** A variant by itself says little: what it makes of the experiment is checked whole, see `parseVariants`. */
const VARIANT = group({
  name: z.string({ error: MODEL_ID }).regex(MODEL_ID_PATTERN, { error: MODEL_ID }),
  ...Object.fromEntries(
    ["model", ...SPEC_SECTIONS.map(snakeCase)].flatMap((n) => (n === "split" ? [] : [[n, CHANGES]])),
  ),
});

/** Everything that an experiment file may hold; issues say what a value is, as the end of a sentence. */
export const EXPERIMENT_SCHEMA = group({
  name: z.string({ error: MODEL_ID }).regex(MODEL_ID_PATTERN, { error: MODEL_ID }),
  data: group({
    labels: z.string({ error: "the path of a labels table, or from-bags" }).min(1),
    label_column: listOf(TEXT, "the name of a column, or a list of names").optional(),
    time_column: TEXT.optional(),
    event_column: TEXT.optional(),
    site_column: TEXT.optional(),
    fold_column: TEXT.optional(),
    clinical: PATH.optional(),
    splits: listOf(PATH, "a path, or a list of paths").optional(),
    files: listOf(z.string().min(1), "a list of paths").optional(),
  }),
  task: group(contractShape(`${COMMON}.Task`)).optional(),
  model: group({
    preset: TEXT.optional(),
    start_from: TEXT.optional(),
    ...contractShape(`${COMMON}.Architecture`, { omit: ["head", "reembedder"] }),
    head: kinds("head", headSchemas, HEADS).optional(),
    reembed: kinds("re-embedder", reembedSchemas, REEMBEDDERS).optional(),
  }).optional(),
  ...sectionSchemas(),
  seeds: listOf(SEED, `a list of seeds, each ${seedError}`).optional(),
  report: group({ heatmaps: wholeFrom(0, 200).optional() }).optional(),
  output: z.string({ error: "the path of a folder" }).min(1).optional(),
  // What 'compare' compares; other commands leave it aside.
  variants: z
    .array(VARIANT, { error: variantsError })
    .min(2, { error: variantsError })
    .max(MAX_VARIANTS, { error: variantsError })
    .optional(),
  // What a resolved file says of itself; nothing is read from it.
  resolved: z.record(z.string(), z.unknown(), { error: "a group of named values" }).optional(),
});

/** The sections of a training specification, with what a file says otherwise or beside. */
function sectionSchemas(): Record<string, z.ZodOptional> {
  const shapeOf = (name: string) => contractShape(typeOf("TrainingSpec", name) ?? "", SECTION_OPTIONS[name]);
  return Object.fromEntries(
    SPEC_SECTIONS.map((name) => [snakeCase(name), group({ ...shapeOf(name), ...BESIDE[name] }).optional()]),
  );
}

function kinds<T extends z.ZodObject>(what: string, schemas: readonly T[], words: readonly string[]) {
  const error = ({ code }: { readonly code?: string }) =>
    code === "invalid_type" ? "a group of named values with a kind" : `one of ${words.join(", ")}`;
  return z
    .discriminatedUnion("kind", schemas as unknown as Members<z.core.$ZodTypeDiscriminable>, { error })
    .describe(`The ${what}; of another kind than a preset's every value is the default.`);
}

/** The JSON Schema (draft 2020-12) of experiment files, for editors. Bounds that only the service knows are not in it. */
export function experimentJsonSchema(): object {
  const schema = z.toJSONSchema(EXPERIMENT_SCHEMA, { io: "input", unrepresentable: "any" });
  return { ...schema, title: "Parfocal experiment" };
}
