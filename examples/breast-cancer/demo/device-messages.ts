// What the demo and its device processes say to each other.

/** One patient, as numbers. */
export interface PatientFeatures {
  readonly row: number;
  readonly features: readonly number[];
}

export interface Diagnosis {
  readonly row: number;
  readonly malignant: boolean;
  readonly probability: number;
  readonly index: number;
  readonly leaf: string;
}

export type Ask =
  | { readonly do: "load"; readonly channel: string }
  | { readonly do: "diagnose"; readonly patients: readonly PatientFeatures[] }
  | { readonly do: "label"; readonly labels: readonly { index: number; leaf: string; malignant: boolean }[] }
  | { readonly do: "sync" }
  | { readonly do: "pack" }
  | { readonly do: "close" };

export type Said =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };
