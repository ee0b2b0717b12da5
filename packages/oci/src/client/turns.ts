const last = new Map<string, Promise<unknown>>();

/** Does the work when all work for the same key that this process began before is done, well or not. */
export async function inTurn<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
  const before = last.get(key);
  const mine = before === undefined ? work() : before.then(work, work);
  last.set(key, mine);
  try {
    return await mine;
  } finally {
    if (last.get(key) === mine) last.delete(key);
  }
}
