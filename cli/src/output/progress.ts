import type { Writable } from "node:stream";
import { formatDuration } from "./units.ts";

/** What is known of running work. */
interface ProgressState {
  /** 0 to 1; absent while unknown. */
  readonly fraction?: number;
  /** Seconds to the end. */
  readonly etaS?: number;
  /** What it does just now. */
  readonly text?: string;
}

/** Running work, shown. */
export interface Progress {
  update(state: ProgressState): void;
  /** Removes the bar and leaves `text`, if there is any. */
  end(text?: string): void;
}

/** Options of {@link createProgress}. */
export interface ProgressOptions {
  readonly label: string;
  readonly stream: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly isSilent: boolean;
}

const BAR_CELLS = 24;
/** Off a terminal a line stands for this share of the work or this time, so that a log stays short and yet shows life. */
const LINE_EVERY = 0.1;
const LINE_EVERY_MS = 15_000;
const ERASE_LINE = "\r\u001b[2K";

/** A bar with ETA that redraws itself on a terminal; elsewhere plain lines, one per tenth of the work. */
export function createProgress({ label, stream, isSilent }: ProgressOptions): Progress {
  if (isSilent) return { update() {}, end() {} };
  if (stream.isTTY === true) return createBar(label, stream);
  return { update: createLines(label, stream), end: (text) => void (text !== undefined && stream.write(`${text}\n`)) };
}

/** Writes the first state, the first with a fraction, one per tenth of the work, and one whenever it has been quiet. */
function createLines(label: string, stream: ProgressOptions["stream"]): Progress["update"] {
  let nextLineAt = Number.NEGATIVE_INFINITY;
  let lastLineMs = Number.NEGATIVE_INFINITY;
  return (state) => {
    const fraction = state.fraction ?? 0;
    const nowMs = performance.now();
    if (fraction < nextLineAt && nowMs - lastLineMs < LINE_EVERY_MS) return;
    lastLineMs = nowMs;
    // Work whose share of the whole is not known yet (it waits) leaves the first share to come.
    nextLineAt = fraction === 0 ? Number.MIN_VALUE : Math.floor(fraction / LINE_EVERY + 1) * LINE_EVERY;
    stream.write(`${lineOf(label, state)}\n`);
  };
}

function createBar(label: string, stream: ProgressOptions["stream"]): Progress {
  return {
    update(state) {
      const text = barOf(label, state).slice(0, Math.max(20, (stream.columns ?? 80) - 1));
      stream.write(`${ERASE_LINE}${text}`);
    },
    end: (text) => void stream.write(`${ERASE_LINE}${text === undefined ? "" : `${text}\n`}`),
  };
}

function barOf(label: string, state: ProgressState): string {
  const fraction = Math.min(1, Math.max(0, state.fraction ?? 0));
  const filled = Math.round(fraction * BAR_CELLS);
  const bar = "█".repeat(filled) + "░".repeat(BAR_CELLS - filled);
  return [label, bar, percentOf(state), etaOf(state), state.text].filter(Boolean).join("  ");
}

function lineOf(label: string, state: ProgressState): string {
  return [`${label}:`, percentOf(state), state.text, etaOf(state)].filter(Boolean).join("  ");
}

function percentOf({ fraction }: ProgressState): string | undefined {
  return fraction === undefined ? undefined : `${Math.floor(100 * fraction)} %`.padStart(5);
}

function etaOf({ fraction, etaS }: ProgressState): string | undefined {
  return etaS === undefined || fraction === 1 ? undefined : `${formatDuration(1000 * etaS)} left`;
}
