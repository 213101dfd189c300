export { withBackend } from "./capture/backend.ts";
export { type CaptureOptions, type ConstantTensor, captureGraph } from "./capture/capture.ts";
export { type ConstantSummary, describeGraph, formatGraph, type GraphSummary } from "./describe.ts";
export { type EagerBackend, isOnGpu, loadEagerBackend } from "./eager-backend.ts";
export { runTwin } from "./eager-twin.ts";
export type { CapturedGraph, Dim, GraphPort, GraphType } from "./graph.ts";
export { convolveRows } from "./operations/convolve-rows.ts";
export { convolveTokens } from "./operations/convolve-tokens.ts";
export { cosineDistance } from "./operations/cosine-distance.ts";
export { type DerivedSize, deriveSize } from "./operations/derive-size.ts";
export { dropout } from "./operations/dropout.ts";
export { expandTo } from "./operations/expand.ts";
export { type GeluOptions, gelu } from "./operations/gelu.ts";
export { type Frequencies, gridAngles, MAX_GRID_CELL } from "./operations/grid-angles.ts";
export { indexVector } from "./operations/index-vector.ts";
export type { IntegerFormula, IntegerMath } from "./operations/integer-math.ts";
export { layerNorm, layerNormGradients } from "./operations/layer-norm.ts";
export { linear } from "./operations/linear.ts";
export { lookupRows } from "./operations/lookup-rows.ts";
export { logSoftmax, sigmoidCrossEntropy, softmaxCrossEntropy } from "./operations/losses.ts";
export { type AttentionInputs, attentionGradients, maskedAttention } from "./operations/masked-attention.ts";
export { type MultiHeadAttentionOptions, multiHeadAttention } from "./operations/multi-head-attention.ts";
export { permuteRows } from "./operations/permute-rows.ts";
export { type Placement, placeRows, takeRows } from "./operations/place-rows.ts";
export { maxOverTiles, meanOverTiles, softmaxOverTiles, sumOverTiles } from "./operations/pooling.ts";
export { productsWithRows } from "./operations/products-with-rows.ts";
export {
  type AttentionLayer,
  type RegionAttentionOptions,
  type RegionPlaces,
  regionAttention,
} from "./operations/region-attention.ts";
export { type Repetition, repeatRows } from "./operations/repeat-rows.ts";
export { rotatePairs } from "./operations/rotate-pairs.ts";
export { scaleToRange } from "./operations/scale-to-range.ts";
export { type BlockResult, groupSize, scanBlocks } from "./operations/scan-blocks.ts";
export { sizeOf } from "./operations/size-of.ts";
export { type SpatialRegions, spatialPlacement } from "./operations/spatial-placement.ts";
export { type StreamedAttentionOptions, streamedAttention } from "./operations/streamed-attention.ts";
export { swishProduct, swishProductGradients } from "./operations/swish-product.ts";
export { tokenMlp } from "./operations/token-mlp.ts";
export { runEagerly } from "./run-eagerly.ts";
export { tf } from "./tf.ts";
