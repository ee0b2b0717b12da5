/** What a piece of work cost: time of the whole process on all its threads, and time on the wall. */
export interface Cost {
  readonly cpuMicros: number;
  readonly wallMicros: number;
}

export async function costOf(work: () => Promise<unknown> | unknown): Promise<Cost> {
  const [cpu, wall] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { cpuMicros: user + system, wallMicros: (performance.now() - wall) * 1000 };
}

/**
 * Runs each kind of work in turn, `rounds` times over, after one round that does not count: what slows the machine for a
 * while slows all of them. Gives each kind's results in order.
 */
export async function alternate<Result>(
  rounds: number,
  works: readonly (() => Promise<Result>)[],
): Promise<readonly (readonly Result[])[]> {
  const results = works.map((): Result[] => []);
  for (let round = 0; round <= rounds; round += 1) {
    for (const [i, work] of works.entries()) {
      const result = await work();
      if (round > 0) results[i]!.push(result);
    }
  }
  return results;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The smallest value that at least this share of all values do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Makes `total` calls, `width` of them under way at a time. */
export async function inFlight(width: number, total: number, call: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const caller = async () => {
    while (next < total) await call(next++);
  };
  await Promise.all(Array.from({ length: width }, caller));
}
