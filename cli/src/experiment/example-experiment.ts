/** An experiment with remarks, as `parfocal experiment init` writes it. Valid as it stands once its paths are right. */
export function exampleExperiment(name: string): string {
  return `# One experiment: what is trained on what. Run it by
#   parfocal train -f ${name}.yaml
#   parfocal crossval -f ${name}.yaml
# Change values for one run behind it: recipe.epochs=5 model.head.kind=clam-sb seeds=[1,2,3]
# What is left out has a default; the experiment.yaml beside the results shows all of them.

name: ${name} # id of the model; one that exists gets a further version

data:
  labels: labels.csv # slide_id,label and if there are any patient_id,group_id,split; or from-bags
  # label_column: label # multilabel: a column for each label may be listed, [KRAS, TP53]
  # site_column: hospital # crossval: no site is in two folds
  # splits: splits.csv # who trains, validates and tests; crossval: a list of files is the folds, and so is a fold_column
  # files: [features/] # imported first; without it the project's bags are used

# task: # default: what the labels make
#   kind: binary # multiclass, multilabel, ordinal, regression, survival, cox
#   classes: [normal, tumour] # binary: negative first; ordinal: lowest first

split: # by patient, stratified by label; a split column of the labels wins
  validation_fraction: 0.15 # early stopping, choice of the epoch, thresholds
  test_fraction: 0.15 # looked at once, at the end
  folds: 5 # crossval only
  repeats: 1

model:
  # preset: r2t-camelyon16-r50 # 'parfocal presets' lists them; values of the same kind given here win
  # start_from: mixer # model whose re-embedder training starts from
  standardise: false
  reembed:
    kind: none # r2t, roformer, region-mixer, levels
  head:
    kind: gated-abmil # mean, max, abmil, class-attention, dsmil, clam-sb, clam-mb, transmil, dtfd
    attention_width: 256
    trunk:
      hidden: [512]
      dropout: 0.25

recipe:
  epochs: 40
  batch_size: 1 # bags per update
  optimiser:
    kind: adamw # adam, radam, sgd
    learning_rate: 1e-4
    weight_decay: 1e-5
    # lookahead: {steps: 6, alpha: 0.5}
  schedule:
    kind: constant # cosine, plateau
  # sampling: balanced # classes alike, drawn with replacement
  # early_stopping: {patience: 10}
  # class_weights: balanced
  # label_smoothing: 0.1

threshold: # chosen on the validation part alone
  kind: youden # f1, sensitivity, fixed; the latter two with a value

# groups: # slides that have a label together, by group_id or patient_id
#   kind: joined # mean, max, min-loss

seeds: [1] # one training each; same seed, same machine: same weights
report:
  heatmaps: 12 # held-out slides whose attention the report shows
output: results/${name}

# variants: [{name: gated}, {name: clam, model: {head: {kind: clam-sb}}}] # for 'parfocal compare -f'
`;
}
