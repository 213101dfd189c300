/**
 * Room for an error in the headers of an answer. gRPC peers may refuse more than 8 KB of them; base64 makes 4 bytes of
 * 3 in the details, which hold the message once more and the metadata twice (as details and as field violation).
 */
const MAX_MESSAGE_BYTES = 1024;
const MAX_DETAIL_BYTES = 2048;
const MAX_KEY_LENGTH = 64;
const MAX_VALUE_BYTES = 512;

/** An error's text, cut to what the headers hold. */
export interface FittedText {
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
}

/** Bytes of `text` in a header, where everything but plain ASCII takes three per byte. */
function headerBytes(text: string): number {
  return encodeURIComponent(text).length;
}

/** The longest beginning of `text` that takes at most `maxBytes` in a header, with an ellipsis when it is not all of it. */
function cut(text: string, maxBytes: number): string {
  const whole = text.toWellFormed();
  // encodeURIComponent writes 3 for a space too, which headers do not: a bound all the same, and never too low.
  if (headerBytes(whole) <= maxBytes) return whole;
  let end = Math.min(whole.length, maxBytes);
  while (end > 0 && headerBytes(whole.slice(0, end).toWellFormed()) > maxBytes - 9) end = Math.floor(end * 0.9);
  return `${whole.slice(0, end).toWellFormed()}…`;
}

/** Cuts the message to 1 KB and keeps the first details that fit in 2 KB, values cut to 512 bytes each. */
export function fitError(message: string, details: Readonly<Record<string, string>>): FittedText {
  const kept: Record<string, string> = {};
  let left = MAX_DETAIL_BYTES;
  for (const [key, value] of Object.entries(details)) {
    const fitted = cut(value, MAX_VALUE_BYTES);
    left -= Buffer.byteLength(key) + Buffer.byteLength(fitted);
    if (key.length > MAX_KEY_LENGTH || left < 0) break;
    kept[key] = fitted;
  }
  return { message: cut(message, MAX_MESSAGE_BYTES), details: kept };
}
