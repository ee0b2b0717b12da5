/** What this machine's disk does is not the carrier's fault. */
export function throwOwn(error: unknown): void {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === "storage-full" || code === "storage-failed" || syscall !== undefined) throw error;
}
