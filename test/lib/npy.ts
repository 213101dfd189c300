/** A C-ordered `.npy` file (version 1.0) of f32 values. Source: numpy.lib.format. */
export function encodeNpy(shape: readonly number[], values: Float32Array): Uint8Array {
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
  const padding = 64 - ((10 + dict.length + 1) % 64);
  const header = `${dict}${" ".repeat(padding % 64)}\n`;
  const prefix = Buffer.alloc(10);
  prefix.write("\x93NUMPY\x01\x00", "latin1");
  prefix.writeUInt16LE(header.length, 8);
  return Buffer.concat([
    prefix,
    Buffer.from(header, "latin1"),
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  ]);
}
