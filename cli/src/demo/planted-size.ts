/** Slides of the made-up cohort unless told. */
export const PLANTED_SLIDES = 60;

/** Passes over its training part unless told. */
export const PLANTED_EPOCHS = 30;
