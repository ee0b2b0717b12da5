import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle, type Script } from "./bundle.ts";
import { BuildError } from "./error.ts";

const room = fileURLToPath(new URL("../..", import.meta.url));
const root = join(room, "..", "..");

/**
 * Builds the verifier page: one HTML document with its style, its script and the worker's script in it, which asks for
 * nothing else and is not allowed to. The same sources give the same bytes.
 *
 * @throws BuildError `module-not-found`, `not-compiled`, `not-embeddable`
 */
export function buildPage(): string {
  const page = bundle(root, join(room, "src", "page", "main.ts"));
  const worker = bundle(root, join(room, "src", "worker", "main.ts"));
  const script = embeddable("the page's script", page.text);
  const style = readPart("style.css");
  const { version } = JSON.parse(readFileSync(join(room, "package.json"), "utf8")) as { version: string };
  return fill(readPart("page.html"), {
    policy: policy(style, script),
    style,
    version,
    worker: embeddable("the worker", worker.text),
    script,
    licences: licences([page, worker]),
  });
}

/**
 * Only the script and the style that stand in the page run, and the worker that the script makes; nothing is fetched,
 * framed, submitted or loaded from anywhere. `data:` is for the empty icon, which keeps a browser from asking for one.
 */
function policy(style: string, script: string): string {
  return [
    "default-src 'none'",
    `script-src '${hash(script)}'`,
    `style-src '${hash(style)}'`,
    "worker-src blob:",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

function hash(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

/** HTML ends a script at these, whatever they mean in JavaScript. */
function embeddable(what: string, text: string): string {
  const [found] = /<\/script|<!--/i.exec(text) ?? [];
  if (found !== undefined) throw new BuildError("not-embeddable", `${what} holds ${found}, which HTML would act upon`);
  return unixLines(text);
}

/** HTML reads every line end as one `\n`; the hashes in the policy are of what it reads. */
function unixLines(text: string): string {
  return text.replaceAll("\r\n", "\n");
}

/** The licences of the packages whose code is in the page, as they ask for. */
function licences(scripts: readonly Script[]): string {
  const packages = new Set(
    scripts.flatMap(({ modules }) =>
      modules.map((name) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(name)?.[1] ?? ""),
    ),
  );
  packages.delete("");
  const texts = [...packages].sort().map((name) => {
    const file = join(root, "node_modules", name, "LICENSE");
    if (!existsSync(file)) throw new BuildError("module-not-found", `${name} has no LICENSE file to put into the page`);
    return `${name}\n\n${readFileSync(file, "utf8").trim()}\n`;
  });
  return `This page contains code of these packages.\n\n${texts.join("\n")}`.replaceAll("-->", "");
}

function readPart(name: string): string {
  return unixLines(readFileSync(join(room, "src", "page", name), "utf8"));
}

/** Puts the parts where `{name}` stands, all at once: what a part holds is not looked at again. */
function fill(template: string, parts: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => parts[name]!);
}
