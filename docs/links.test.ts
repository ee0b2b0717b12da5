import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");
const pages = globSync(["*.md", "docs/*.md", "{bench,examples,interop,packages,soak}/**/*.md"], {
  cwd: root,
  exclude: (name) => name === "node_modules",
}).sort();

/** A page's text without what stands in fences, where brackets are code. */
const text = (page: string) => readFileSync(join(root, page), "utf8").replace(/^```[\s\S]*?^```/gm, "");

/** What a heading is called in the address of a page, as GitHub makes it: punctuation goes, blanks become hyphens. */
const anchors = (page: string) =>
  [...text(page).matchAll(/^#+ +(.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, "")
      .replaceAll(" ", "-"),
  );

/** Links to places in this repository: page they are on, what they say, file and heading that they lead to. */
const links = pages.flatMap((page) =>
  [...text(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, address]) => address!)
    .filter((address) => !/^[a-z]+:/.test(address))
    .map((address) => {
      const [path, anchor] = address.split("#");
      return { link: `${page}: ${address}`, target: path ? join(dirname(page), path) : page, anchor };
    }),
);

test("every relative link of every page leads to a file, and to a heading that is there", () => {
  assert.ok(links.length > 80, `only ${links.length} links were found`);
  const dead = links.filter(
    ({ target, anchor }) =>
      !existsSync(join(root, target)) || (anchor !== undefined && !anchors(target).includes(anchor)),
  );
  assert.deepEqual(
    dead.map(({ link }) => link),
    [],
  );
});

test("every page of docs can be reached from README", () => {
  const reached = new Set(["README.md"]);
  for (const page of reached)
    for (const { link, target } of links)
      if (link.startsWith(`${page}: `) && target.endsWith(".md")) reached.add(target);
  assert.deepEqual(
    pages.filter((page) => page.startsWith("docs/") && !reached.has(page)),
    [],
  );
});
