import type { Classifier } from "./classifier.ts";
import type { Sample } from "./dataset.ts";
import { type Hyperparameters, trainClassifier } from "./train.ts";

/** What is published under one version number. */
export interface Version {
  readonly classifier: Classifier;
  readonly hyperparameters: Hyperparameters;
  /** How many samples it learned from. */
  readonly samples: number;
}

const first: Hyperparameters = { seed: 1, hidden: 0, epochs: 60, batch: 16, learningRate: 0.1, l2: 0.001 };
const second: Hyperparameters = { seed: 2, hidden: 8, epochs: 80, batch: 16, learningRate: 0.1, l2: 0.001 };
const third: Hyperparameters = { ...second, seed: 3 };

/** Version 1: logistic regression on the first half of the training patients. */
export function trainFirst(train: readonly Sample[]): Version {
  return version(train.slice(0, Math.ceil(train.length / 2)), first);
}

/** Version 2: a small network on all training patients. */
export function trainSecond(train: readonly Sample[]): Version {
  return version(train, second);
}

/** Version 3: the same network on the training patients and on labelled patients that devices sent back. */
export function trainThird(train: readonly Sample[], field: readonly Sample[]): Version {
  return version([...train, ...field], third);
}

function version(samples: readonly Sample[], hyperparameters: Hyperparameters): Version {
  return { classifier: trainClassifier(samples, hyperparameters), hyperparameters, samples: samples.length };
}
