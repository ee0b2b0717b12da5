/** Does something with each item, at most `atOnce` at a time. After a failure nothing new is begun, and it rejects with the first. */
export async function eachOf<T>(items: readonly T[], atOnce: number, act: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  let failed = false;
  const takeTurns = async (): Promise<void> => {
    for (const item of rest) {
      if (failed) return;
      await act(item).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  const turns = Array.from({ length: Math.min(atOnce, items.length) }, takeTurns);
  await Promise.allSettled(turns);
  await Promise.all(turns);
}
