/** A report with every section filled, for the tests of this folder and for looking at. Made from a seed; shows no real case. */
import { type CasePrediction, chooseThreshold, createRng, type EvaluationTask, evaluate } from "@parfocal/metrics";
import { renderHeatmap } from "./heatmap.ts";
import type { PredictionRow, ReportData, TrainingRun } from "./report-data.ts";

/** A round piece of tissue with a hole and one hot focus: `coords` `[N, 2]` at stride 512 and an attention value for each. */
export function fixtureTiles(seed = 1n, radius = 22): { coords: Int32Array; values: Float32Array } {
  const rng = createRng(seed);
  const coords: number[] = [];
  const values: number[] = [];
  for (let row = -radius; row <= radius; row += 1) {
    for (let column = -radius * 2; column <= radius * 2; column += 1) {
      const distance = Math.hypot(row, column / 1.8) / radius;
      if (distance > 0.95 + 0.08 * Math.sin(column / 3) || Math.hypot(row - 6, column - 12) < 5) continue;
      coords.push(40_000 + 512 * column, 25_000 + 512 * row);
      const focus = Math.exp(-((row + 5) ** 2 + (column + 14) ** 2) / 40);
      values.push((0.02 + focus + 0.15 * rng.nextFloat()) / 400);
    }
  }
  return { coords: Int32Array.from(coords), values: Float32Array.from(values) };
}

/** Cases of a task whose scores separate the classes by `separation` standard deviations. */
export function fixtureCases(task: EvaluationTask, nCases: number, separation: number, seed = 7n): CasePrediction[] {
  const rng = createRng(seed);
  return Array.from({ length: nCases }, (_, i) => {
    const label = i % task.classes.length;
    const logits = task.classes.map((_, c) => rng.normal() + (c === label ? separation : 0));
    const exps = logits.map(Math.exp);
    const total = exps.reduce((sum, value) => sum + value, 0);
    return { patient: `patient ${i}`, label, probabilities: exps.map((value) => value / total) };
  });
}

/** A training history that falls and levels off. */
export function fixtureRun(name = "training", nEpochs = 24, seed = 3n): TrainingRun {
  const rng = createRng(seed);
  const epochs = Array.from({ length: nEpochs }, (_, i) => ({
    epoch: i + 1,
    trainLoss: 0.12 + 0.6 * Math.exp(-i / 6) + 0.02 * rng.normal(),
    validationLoss: 0.3 + 0.42 * Math.exp(-i / 5) + 0.004 * i + 0.02 * rng.normal(),
    validationScore: Math.min(1, 0.93 - 0.38 * Math.exp(-i / 4) + 0.01 * rng.normal()),
  }));
  return { name, epochs, keptEpoch: 15 };
}

/** All sections, binary by default. */
export function fixtureReport(task: EvaluationTask = { kind: "binary", classes: ["normal", "tumour"] }): ReportData {
  const cases = fixtureCases(task, 80, 1.1);
  const validation = fixtureCases(task, 40, 1.1, 8n);
  const positive = (each: CasePrediction): number => each.probabilities?.[1] ?? 0;
  const chosen = chooseThreshold(
    validation.map(({ label }) => Number(label === 1)),
    validation.map(positive),
  );
  const isBinary = task.kind === "binary";
  const predictions: PredictionRow[] = cases.map(({ patient, label, probabilities }, i) => ({
    slide: `slide ${String(i).padStart(3, "0")}`,
    patient,
    truth: task.classes[Number(label)] ?? null,
    decision:
      task.classes[
        isBinary
          ? Number((probabilities?.[1] ?? 0) >= chosen.threshold)
          : (probabilities ?? []).indexOf(Math.max(...(probabilities ?? [])))
      ] ?? null,
    probabilities: Object.fromEntries(task.classes.map((name, c) => [name, probabilities?.[c] ?? 0])),
    threshold: isBinary ? chosen.threshold : null,
    model: "projects/demo/models/tumour/versions/3",
  }));
  const failed: PredictionRow = {
    slide: "slide 080",
    patient: "patient 80",
    decision: null,
    probabilities: null,
    model: "projects/demo/models/tumour/versions/3",
    error: { code: "GEOMETRY_MISMATCH", message: "tiles are 1.0 um per pixel; the model expects 0.5" },
  };
  return {
    title: "Tumour against normal, gated ABMIL",
    summary:
      "A gated attention model was trained on 240 slides and evaluated once on 80 slides of patients it never saw.",
    generatedAt: "2026-11-21 08:00 UTC",
    data: {
      facts: [
        { name: "Encoder", value: "prov-gigapath, 1536 features" },
        { name: "Tiles", value: "256 px at 0.5 µm per pixel" },
        { name: "Tiles per slide", value: "median 1,840 (112 to 9,310)" },
        { name: "Split", value: "by patient, stratified by label, seed 17" },
      ],
      classes: task.classes,
      parts: [
        {
          name: "Training",
          nPatients: 200,
          nSlides: 240,
          perClass: task.classes.map(() => Math.floor(240 / task.classes.length)),
        },
        {
          name: "Validation",
          nPatients: 40,
          nSlides: 40,
          perClass: task.classes.map(() => Math.floor(40 / task.classes.length)),
        },
        {
          name: "Test",
          nPatients: 80,
          nSlides: 80,
          perClass: task.classes.map(() => Math.floor(80 / task.classes.length)),
        },
      ],
    },
    evaluation: evaluate(task, [...cases, { patient: "patient 80", label: 0, probabilities: null }], {
      rng: createRng(5n),
      nResamples: 300,
      ...(isBinary ? { thresholds: [chosen.threshold] } : {}),
    }),
    evaluatedOn: "the held-out test slides",
    training: [fixtureRun()],
    predictions: [...predictions, failed],
    heatmaps: [1n, 2n, 3n].map((seed) => ({
      slide: `slide 00${seed}`,
      caption: "Attention of the head; tumour, probability 0.93",
      png: renderHeatmap(fixtureTiles(seed, 10 + 6 * Number(seed))),
    })),
    model: {
      name: "projects/demo/models/tumour",
      version: "3",
      intendedUse: "Research on lymph node sections digitised at 20x or more.",
      limitations: [
        "Trained on one scanner.",
        "Not tested on frozen sections.",
        "Probabilities were not recalibrated.",
      ],
      architecture: [
        { name: "Head", value: "gated ABMIL, 512 hidden, 256 attention" },
        { name: "Parameters", value: "1,051,139" },
      ],
      recipe: [
        { name: "Optimiser", value: "Adam, learning rate 1e-4, weight decay 1e-5" },
        { name: "Schedule", value: "cosine over 24 epochs" },
        { name: "Dropout", value: "0.25" },
      ],
      provenance: [
        { name: "Seed", value: "17" },
        {
          name: "Weights",
          value: "sha256:9f2c4e1b7a3d58c06e94f1b2a7d3c85e40f6b19d2c7e83a5f0b4d6c9e1a27f38",
          isCode: true,
        },
        {
          name: "Training data",
          value: "sha256:03ab9c5e7f1d2b4860c9e3a5d7f1b2c4e6a8093b5d7f9e1c3a5b7d9f0e2c4a68",
          isCode: true,
        },
        { name: "Software", value: "parfocal 0.1.0, onnxruntime 1.23" },
      ],
      decision: isBinary
        ? [
            { name: "Threshold", value: chosen.threshold.toFixed(3) },
            { name: "Chosen by", value: "Youden's J on 40 validation slides, then frozen" },
          ]
        : [{ name: "Rule", value: "the most probable class" }],
    },
  };
}
