/** Bodies that say which version they are, so that a mixture of two is noticed. No vitest here: a plain process uses it. */
const HEADER_BYTES = 8;

/** The body of a version: its number, its length, and a pattern; sizes from some bytes to 2 MB. */
export function encodeVersion(version: number): Uint8Array {
  const nBytes = HEADER_BYTES + ((version * 7_919) % 23) ** 4 * 8;
  const body = Buffer.alloc(nBytes, version % 251);
  body.writeUInt32LE(version, 0);
  body.writeUInt32LE(nBytes, 4);
  return body;
}

/** The version that a body is, if it is one whole. */
export function parseVersion(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const version = Buffer.from(bytes.buffer, bytes.byteOffset).readUInt32LE(0);
  return Buffer.compare(bytes, encodeVersion(version)) === 0 ? version : undefined;
}

/** The number that a counter holds. */
export function parseCount(bytes: Uint8Array): number {
  return Number(Buffer.from(bytes).toString());
}
