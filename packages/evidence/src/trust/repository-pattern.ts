/** Whether this is a repository name of OCI's alphabet, in which `*` may stand for any run of characters. */
export function isRepositoryPattern(pattern: string): boolean {
  return /^[a-z0-9._/*-]+$/.test(pattern);
}

/** Whether the pattern covers the repository. `*` stands for any run of characters, slashes included. */
export function matchesRepository(pattern: string, repository: string): boolean {
  const parts = pattern.split("*");
  const first = parts[0] ?? "";
  const last = parts.at(-1) ?? "";
  if (parts.length === 1) return pattern === repository;
  if (!repository.startsWith(first) || !repository.endsWith(last)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = repository.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= repository.length - last.length;
}
