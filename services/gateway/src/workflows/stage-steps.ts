/**
 * Tries of a step that waits long for a stage, and of the step that publishes its result. With pauses that double up to 30 s they
 * outlast a rolling update of the stage (about two minutes); what the stage does goes on from its last checkpoint.
 */
export const MAX_STAGE_ATTEMPTS = 10;

/** Longest wait for a single answer of a stage that computes for it, ms. Every stage allows so much for the calls that are meant. */
export const STAGE_TIMEOUT_MS = 3_600_000;
