/**
 * Where the gateway keeps things in the store. One page, so that nobody composes a key elsewhere.
 *
 * ```
 * projects/{p}/bags/{sha256}.safetensors           canonical bags, content addressed
 * projects/{p}/bags/index/{sha256}.safetensors     where blocks lie in a region bag, left by the stage that built it
 * projects/{p}/bags/built/{sha256}.json            which region bag some bags gave; may be emptied
 * projects/{p}/bag-index/{sha256}.json             one small entry per bag
 * projects/{p}/models/{m}/versions/{v}/…           model packages, immutable, written by the stage that trained them
 * projects/{p}/model-index/{m}/{v}.json            one small entry per published version
 * projects/{p}/model-aliases/{m}/{alias}.json      moved by compare-and-swap
 * operations/{p}/…                                 owned by the workflow driver
 * operations/{p}/{o}/results/…                     what an operation leaves for clients; deleted with it
 * operations/{p}/{o}/tmp/batch/…                   the plan of a batch and what came of its shards
 * operations/{p}/{o}/tmp/folds/…                   models, checkpoints and predictions of a cross-validation
 * uploads/{p}/{upload}                             checkpoints that wait for their import, deleted after a day
 * uploads/{p}/{call}/{sha256}.safetensors          bags of single inferences, deleted when answered, else after a day
 * cache/regions/…                                  the same for region bags that were imported; may be emptied
 * ```
 */
export const keys = {
  bagFolder: (project: string) => `projects/${project}/bags`,
  bagPrefix: (project: string) => `projects/${project}/bags/`,
  bag: (project: string, sha256: string) => `projects/${project}/bags/${sha256}.safetensors`,
  blockIndex: (project: string, sha256: string) => `projects/${project}/bags/index/${sha256}.safetensors`,
  bagIndexPrefix: (project: string) => `projects/${project}/bag-index/`,
  bagIndex: (project: string, sha256: string) => `projects/${project}/bag-index/${sha256}.json`,
  packageFolder: (project: string, model: string, version: string) =>
    `projects/${project}/models/${model}/versions/${version}`,
  /** Written last of a package. */
  packageManifest: (project: string, model: string, version: string) =>
    `projects/${project}/models/${model}/versions/${version}/manifest.json`,
  checkpointFolder: (project: string, operation: string) => `operations/${project}/${operation}/tmp/checkpoints`,
  checkpointCopy: (project: string, operation: string) => `operations/${project}/${operation}/tmp/import.pt`,
  resultFolder: (project: string, operation: string) => `operations/${project}/${operation}/results`,
  foldFolder: (project: string, operation: string, fold: string) =>
    `operations/${project}/${operation}/tmp/folds/${fold}`,
  batchPlan: (project: string, operation: string) => `operations/${project}/${operation}/tmp/batch/plan.json`,
  batchShard: (project: string, operation: string, digest: string) =>
    `operations/${project}/${operation}/tmp/batch/shards/${digest}.json`,
  regionCache: "cache/regions",
  uploadsPrefix: "uploads/",
  upload: (project: string, upload: string) => `uploads/${project}/${upload}`,
  temporaryBagPrefix: (project: string, call: string) => `uploads/${project}/${call}/`,
  modelIndexPrefix: (project: string, model?: string) =>
    model === undefined ? `projects/${project}/model-index/` : `projects/${project}/model-index/${model}/`,
  modelIndex: (project: string, model: string, version: string) =>
    `projects/${project}/model-index/${model}/${version}.json`,
  alias: (project: string, model: string, alias: string) => `projects/${project}/model-aliases/${model}/${alias}.json`,
  aliasPrefix: (project: string, model: string) => `projects/${project}/model-aliases/${model}/`,
} as const;
