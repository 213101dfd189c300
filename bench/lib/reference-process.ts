import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A PyTorch process that does what it is told. */
export interface Reference {
  readonly version: string;
  readonly pid: number | undefined;
  /** Sends a command of `torch_side.py`, gives its answer. */
  ask(command: { readonly do: string; readonly [argument: string]: unknown }): Promise<ReferenceAnswer>;
  close(): Promise<void>;
}

/** What `torch_side.py` answers. */
export interface ReferenceAnswer {
  readonly ms: number;
  readonly losses: readonly number[];
  readonly probabilities: readonly number[];
}

/**
 * Starts the program at `script`, which serves a model by `torch_side.py`, on `PARFOCAL_BENCH_PYTHON` (default `python3`), with its
 * tensors on `device`.
 *
 * @throws When the interpreter cannot be started or dies.
 */
export async function startReference(
  script: string,
  { threads, device = "cpu" }: { readonly threads: number; readonly device?: string },
): Promise<Reference | { readonly unavailable: string }> {
  const interpreter = process.env.PARFOCAL_BENCH_PYTHON ?? "python3";
  const child = spawn(interpreter, [script, `${threads}`, device], { stdio: ["pipe", "pipe", "inherit"] });
  const failure = new Promise<string>((resolve) => child.once("error", (error) => resolve(error.message)));
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    const next = await lines.next();
    if (next.done === true) throw new Error(`${interpreter} ended without an answer`);
    return JSON.parse(next.value);
  };
  const hello = await Promise.race([answer(), failure]);
  if (typeof hello === "string") return { unavailable: hello };
  const { version, unavailable } = hello as { version?: string; unavailable?: string };
  if (version === undefined) return { unavailable: `${interpreter}: ${unavailable}` };
  return {
    version,
    pid: child.pid,
    async ask(command) {
      if (!child.stdin.write(`${JSON.stringify(command)}\n`)) await once(child.stdin, "drain");
      return (await answer()) as ReferenceAnswer;
    },
    async close() {
      child.stdin.end();
      await exited;
    },
  };
}
