/** At most `limit` of a list's items, evenly spread, the first and the last among them; of one, the one in the middle. */
export function thin<T>(items: readonly T[], limit: number): readonly T[] {
  if (items.length <= limit) return items;
  if (limit === 1) return [items[items.length >>> 1]!];
  return Array.from({ length: limit }, (_, i) => items[Math.round((i * (items.length - 1)) / (limit - 1))]!);
}
