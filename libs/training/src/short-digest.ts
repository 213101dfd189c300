/** Digits of a digest that tell bags apart for people. */
const SHOWN_DIGITS = 12;

/** The beginning of a SHA-256, as errors show it. */
export function shortDigest(digest: string): string {
  return digest.slice(0, SHOWN_DIGITS);
}
