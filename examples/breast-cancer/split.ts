import type { Patient } from "./dataset.ts";
import { seededRandom, shuffled } from "./random.ts";

/** Who is used for what. No patient is in two parts. */
export interface Split {
  /** What the publisher trains on. */
  readonly train: readonly Patient[];
  /** Patients who come to the devices, one list per device: the models have not seen them. */
  readonly field: readonly (readonly Patient[])[];
  /** Kept from everyone until a model is evaluated. */
  readonly holdOut: readonly Patient[];
}

export interface SplitOptions {
  readonly seed: number;
  readonly devices: number;
  /** Shares of each diagnosis that go to `train` and `holdOut`; the rest goes to the field. */
  readonly trainShare?: number;
  readonly holdOutShare?: number;
}

/**
 * Splits the patients the same way for the same seed on every machine. Each part has malignant and benign patients in
 * about the table's proportion, and the field is dealt out to the devices one patient at a time.
 */
export function splitPatients(patients: readonly Patient[], options: SplitOptions): Split {
  const { seed, devices, trainShare = 0.4, holdOutShare = 0.25 } = options;
  if (!Number.isInteger(devices) || devices < 1) throw new Error(`a split needs one device or more, not ${devices}`);
  if (!(trainShare > 0 && holdOutShare > 0 && trainShare + holdOutShare < 1)) {
    throw new Error("the shares for training and hold-out must be above 0 and leave something for the field");
  }
  const random = seededRandom(seed);
  const train: Patient[] = [];
  const holdOut: Patient[] = [];
  const rest: Patient[] = [];
  for (const diagnosis of [true, false]) {
    const group = shuffled(
      patients.filter((patient) => patient.malignant === diagnosis),
      random,
    );
    const trainEnd = Math.round(group.length * trainShare);
    const holdOutEnd = trainEnd + Math.round(group.length * holdOutShare);
    train.push(...group.slice(0, trainEnd));
    holdOut.push(...group.slice(trainEnd, holdOutEnd));
    rest.push(...group.slice(holdOutEnd));
  }
  const field: Patient[][] = Array.from({ length: devices }, () => []);
  for (const [turn, patient] of shuffled(rest, random).entries()) field[turn % devices]?.push(patient);
  return Object.freeze({ train: shuffled(train, random), field, holdOut: shuffled(holdOut, random) });
}
