import { type Classifier, predict, threshold } from "./classifier.ts";
import type { Sample } from "./dataset.ts";

/** How well a classifier does on samples that it has not seen. All shares are 0 to 1; malignant is the positive class. */
export interface Evaluation {
  readonly samples: number;
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly trueNegatives: number;
  readonly falseNegatives: number;
  readonly accuracy: number;
  /** Of the malignant, the share called malignant. */
  readonly sensitivity: number;
  /** Of the benign, the share called benign. */
  readonly specificity: number;
  /** Area under the ROC curve: how likely a malignant sample scores above a benign one, ties counting half. */
  readonly auc: number;
}

/** Scores the classifier on the samples. */
export function evaluate(classifier: Classifier, samples: readonly Sample[]): Evaluation {
  return evaluateScores(
    samples.map(({ features, malignant }) => ({ score: predict(classifier, features), malignant })),
  );
}

/** The same from scores made elsewhere, such as by a device. Throws an Error unless both diagnoses occur. */
export function evaluateScores(scored: readonly { score: number; malignant: boolean }[]): Evaluation {
  const positives = scored.filter((sample) => sample.malignant).map((sample) => sample.score);
  const negatives = scored.filter((sample) => !sample.malignant).map((sample) => sample.score);
  if (positives.length === 0 || negatives.length === 0)
    throw new Error("evaluation needs malignant and benign samples");
  const truePositives = positives.filter((score) => score >= threshold).length;
  const trueNegatives = negatives.filter((score) => score < threshold).length;
  let wins = 0;
  for (const positive of positives) {
    for (const negative of negatives) wins += positive > negative ? 1 : positive === negative ? 0.5 : 0;
  }
  return Object.freeze({
    samples: scored.length,
    truePositives,
    falsePositives: negatives.length - trueNegatives,
    trueNegatives,
    falseNegatives: positives.length - truePositives,
    accuracy: (truePositives + trueNegatives) / scored.length,
    sensitivity: truePositives / positives.length,
    specificity: trueNegatives / negatives.length,
    auc: wins / (positives.length * negatives.length),
  });
}
