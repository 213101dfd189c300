import type { MixerConfig, PretrainModel } from "@parfocal/models";

// Legend: N tokens of a region, K kept, M removed, C class tokens.

/** Inner width of a feed-forward layer as the model has it. */
export function innerWidth(width: number, { innerRatio }: MixerConfig): number {
  return Math.floor(width * innerRatio + 1e-9);
}

/** Operations of one block on `n` tokens. */
function blockFlop(n: number, width: number, inner: number): number {
  return n * (8 * width ** 2 + 6 * width * inner) + 4 * n ** 2 * width;
}

/** Operations of the encoder on `nSeen` tokens of a region. */
export function encodeFlop(dIn: number, config: MixerConfig, nSeen: number): number {
  const { width, depth, classTokens } = config;
  const block = blockFlop(nSeen + classTokens, width, innerWidth(width, config));
  return 2 * nSeen * dIn * width + depth * block;
}

/** Operations of a training step on one region, all tokens decoded: three times forward. */
export function stepFlop({ config, nTokens, nKept }: PretrainModel): number {
  const { dIn, mixer, masked } = config;
  const { decoderWidth: wide, decoderDepth } = masked;
  const blocks = decoderDepth * blockFlop(nTokens + mixer.classTokens, wide, innerWidth(wide, mixer));
  const decoder = 2 * (nKept + mixer.classTokens) * mixer.width * wide + blocks + 2 * nTokens * wide * dIn;
  return 3 * (encodeFlop(dIn, mixer, nKept) + decoder);
}
