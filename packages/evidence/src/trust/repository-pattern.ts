/**
 * Whether this is a repository name of OCI's alphabet, in which `*` may stand for any run of characters. A pattern that could cover no
 * repository, for an empty part or one of dots alone, is none: it would be a rule that is silently not applied.
 */
export function isRepositoryPattern(pattern: string): boolean {
  return /^[a-z0-9._/*-]+$/.test(pattern) && pattern.split("/").every((part) => /[a-z0-9*]/.test(part));
}

const name = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/;

/** Whether it is a repository's name as the distribution specification has them: no `..`, no capitals, no slash at either end. */
export function isRepositoryName(text: string): boolean {
  return text.length <= 255 && name.test(text);
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
