// The language leaves the last bits of Math.exp to the engine. Training must give the same model everywhere, so its
// exponential is made of additions, multiplications and divisions alone, whose results IEEE 754 fixes.

// ln 2 in two parts, the high one with 32 bits, so that k * ln2High is exact (the constants of fdlibm's e_exp.c).
const ln2High = 0.6931471803691238;
const ln2Low = 1.9082149292705877e-10;

/** e to the x, within a few units in the last place. 0 below -708, and e^708 above 708. */
export function exponential(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  if (x < -708) return 0;
  const bounded = x > 708 ? 708 : x;
  const k = Math.round(bounded / ln2High);
  const r = bounded - k * ln2High - k * ln2Low; // |r| <= ln 2 / 2
  let sum = 1;
  for (let n = 14; n >= 1; n--) sum = 1 + (r / n) * sum; // Taylor: the next term is below 2e-20
  return sum * powerOfTwo(k);
}

/** 1 / (1 + e^-x). */
export function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + exponential(-x)) : 1 - 1 / (1 + exponential(x));
}

function powerOfTwo(exponent: number): number {
  let power = 1;
  const factor = exponent < 0 ? 0.5 : 2;
  for (let left = Math.abs(exponent); left > 0; left--) power *= factor;
  return power;
}
