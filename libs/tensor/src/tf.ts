import * as tf from "@tensorflow/tfjs";

// The CPU backend prints an advertisement for another package on first use; production mode is its only off switch.
tf.env().set("PROD", true);

/** The tfjs namespace that models are written against: operations, `Tensor`, `valueAndGrads`, `tidy`. */
export { tf };
