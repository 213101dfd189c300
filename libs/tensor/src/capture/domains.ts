/** Operators of onnxruntime's own domain: fused attention and the like. */
export const MICROSOFT_DOMAIN = "com.microsoft";
