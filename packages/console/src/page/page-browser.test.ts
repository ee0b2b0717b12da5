import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  formatTrust,
  noteKey,
  parseTrust,
  type Report,
  type Trust,
  toBase64,
  utf8,
  verifyBundle,
} from "@tally/evidence";
import { type Browser, chromium, type Page } from "playwright-core";
import { buildPage } from "../build/page.ts";
import { answerFile, trustFile } from "../testdata.ts";

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const skip = executablePath === undefined ? "Chromium is not installed" : false;

interface Given {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const answer: Given = { name: "answer.tally", bytes: answerFile };
const trust: Given = { name: "trust.json", bytes: trustFile };

const flipped = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

describe("the page in a real browser, opened from disk", { skip }, () => {
  let browser: Browser;
  let folder: string;
  let url: string;
  let report: Report;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "tally-verify-page-"));
    writeFileSync(join(folder, "verify.html"), buildPage());
    url = pathToFileURL(join(folder, "verify.html")).href;
    report = await verifyBundle({ bundle: answerFile, trust: parseTrust(trustFile) });
    browser = await chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"] });
  });
  after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Opens the page, does something with it, and has it that nothing went wrong in it meanwhile. */
  async function withPage(use: (page: Page) => Promise<void>, address = url): Promise<void> {
    const context = await browser.newContext();
    const page = await context.newPage();
    const wrong: string[] = [];
    page.on("pageerror", (error) => wrong.push(String(error)));
    page.on("console", (message) => wrong.push(message.text()));
    await page.goto(address);
    await use(page);
    assert.deepEqual(wrong, []);
    await context.close();
  }

  async function pick(page: Page, slot: "Evidence bundle" | "Trust file", { name, bytes }: Given): Promise<void> {
    const file = { name, mimeType: "application/octet-stream", buffer: Buffer.from(bytes) };
    await page.getByLabel(slot).setInputFiles(file);
  }

  async function verify(page: Page, bundle: Given = answer, trusted: Given = trust): Promise<string> {
    await pick(page, "Evidence bundle", bundle);
    await pick(page, "Trust file", trusted);
    return (await page.locator("#verdict").textContent())!;
  }

  const total = () => report.answer!.records.length;

  test("a good answer is good: the question, the models, the devices, the records", async () => {
    await withPage(async (page) => {
      assert.match(await verify(page), /^Good/);
      const { models, ledgers } = report.answer!;
      const shown = (await page.locator("#report").innerText()).replaceAll("\n", " ");
      for (const { manifest, signedBy, approvedBy } of models) {
        for (const text of [manifest, ...signedBy, ...approvedBy]) assert.ok(shown.includes(text), text);
      }
      for (const { deviceId, standing } of ledgers) {
        const row = page.locator("#devices tbody tr", { hasText: deviceId });
        assert.match(await row.innerText(), new RegExp(standing));
      }
      await page.locator("#records caption", { hasText: `${total()} records` }).waitFor();
    });
  });

  test("a summary shows how many records there are and what that relies on, and no records", async () => {
    const bytes = (name: string) => new Uint8Array(readFileSync(new URL(`../../testdata/${name}`, import.meta.url)));
    const [bundle, trusted] = [bytes("summary.tally"), bytes("summary-trust.json")];
    const { summary, reliesOn } = (await verifyBundle({ bundle, trust: parseTrust(trusted) })).answer!;
    await withPage(async (page) => {
      assert.match(
        await verify(page, { name: "summary.tally", bytes: bundle }, { name: "trust.json", bytes: trusted }),
        /^Good/,
      );
      const shown = await page.locator("#counts").innerText();
      assert.ok(shown.includes(`${summary!.atMost} records in the interval`), shown);
      const asked = await page.locator("#question").innerText();
      assert.ok(reliesOn.length > 0);
      for (const line of reliesOn) assert.ok(asked.includes(line), line);
      assert.equal(await page.locator("#counts tbody").last().locator("tr").count(), summary!.ledgers.length);
      assert.equal(await page.locator("#models, #records").count(), 0);
      assert.match(asked, /How many records did any model make/);
    });
  });

  test("every check is there, with its reason", async () => {
    await withPage(async (page) => {
      await verify(page);
      for (const group of await page.locator("#checks details").all()) {
        if ((await group.getAttribute("open")) === null) await group.locator("summary").click();
      }
      for (const more of await page.locator("#checks button").all()) await more.click();
      const shown = await page.locator("#checks .reason").allTextContents();
      assert.deepEqual(shown.sort(), report.checks.map(({ reason }) => reason).sort());
    });
  });

  test("files may be dropped, both at once and in any order", async () => {
    await withPage(async (page) => {
      const transfer = await page.evaluateHandle(
        (files) => {
          const made = new DataTransfer();
          for (const { name, text } of files) made.items.add(new File([Uint8Array.fromBase64(text)], name));
          return made;
        },
        [trust, answer].map(({ name, bytes }) => ({ name, text: toBase64(bytes) })),
      );
      await page.dispatchEvent("main", "drop", { dataTransfer: transfer });
      assert.match((await page.locator("#verdict").textContent())!, /^Good/);
      assert.match((await page.locator("#bundle-state").textContent())!, /^answer\.tally/);
    });
  });

  test("a flipped byte shows, and where", async () => {
    const bytes = flipped(answerFile, Math.floor(answerFile.length / 2));
    const { damage } = await verifyBundle({ bundle: bytes, trust: parseTrust(trustFile) });
    await withPage(async (page) => {
      const verdict = await verify(page, { ...answer, bytes });
      assert.match(verdict, /^Not valid/);
      assert.ok(verdict.includes(damage!.what));
      assert.ok(verdict.includes(`begins at byte ${damage!.offset.toLocaleString("en-US")}`));
      assert.equal(await page.locator("#models, #devices, #records").count(), 0);
    });
  });

  test("the trust file of another plane proves nothing, and says which check failed", async () => {
    const own = parseTrust(trustFile);
    const otherKeys = own.plane.log.map(({ name, type, publicKey }) => noteKey(name, type, flipped(publicKey, 5)));
    const other: Trust = { ...own, plane: { ...own.plane, log: otherKeys } };
    const failed = (await verifyBundle({ bundle: answerFile, trust: other })).checks.find(
      ({ result }) => result === "bad",
    )!;
    await withPage(async (page) => {
      const verdict = await verify(page, answer, { name: "other.json", bytes: utf8(formatTrust(other)) });
      assert.match(verdict, /^Bad/);
      assert.ok(verdict.includes(`${failed.name} of ${failed.about}: ${failed.reason}`));
      assert.equal(await page.locator("#models, #devices, #records").count(), 0);
    });
  });

  test("a trust file that cannot be read is named", async () => {
    await withPage(async (page) => {
      const verdict = await verify(page, answer, { name: "trust.json", bytes: utf8('{"format":"tally-trust/v9"}') });
      assert.match(verdict, /^The trust file cannot be read.*format/);
    });
  });

  test("another file in place of the first is verified anew", async () => {
    await withPage(async (page) => {
      await verify(page, { ...answer, bytes: answerFile.subarray(0, 5000) });
      await pick(page, "Evidence bundle", answer);
      await page.locator("#verdict.good").waitFor();
    });
  });

  test("what a file says is text, never markup", async () => {
    const hostile = '<img src="x" onerror="document.title = 1"><b>';
    const own = parseTrust(trustFile);
    const identities = own.identities.map((identity) => ({ ...identity, name: `${hostile} ${identity.name}` }));
    await withPage(async (page) => {
      const verdict = await verify(page, answer, { ...trust, bytes: utf8(formatTrust({ ...own, identities })) });
      assert.match(verdict, /^Good/);
      assert.ok((await page.locator("#models").textContent())!.includes(hostile));
      assert.equal(await page.locator("img, b").count(), 0);
    });
  });

  test("records are shown a page at a time, chosen by device, model and standing, and opened one by one", async () => {
    await withPage(async (page) => {
      await verify(page);
      const place = page.locator(".place");
      const rows = page.locator("#records tbody tr");
      await place.filter({ hasText: `1 to 25 of ${total()}` }).waitFor();
      assert.equal(await rows.count(), 25);
      await page.getByRole("button", { name: "Next" }).click();
      await place.filter({ hasText: "26 to 50" }).waitFor();
      await page.getByRole("button", { name: "Last" }).click();
      await place.filter({ hasText: `${total()} of ${total()}` }).waitFor();
      const { origin } = report.answer!.records[0]!;
      await page.getByRole("combobox", { name: "Device" }).selectOption(origin);
      const own = report.answer!.records.filter((record) => record.origin === origin);
      await page.locator("#records caption", { hasText: `${own.length} record` }).waitFor();
      await page.getByRole("button", { name: `Details of entry ${own[0]!.index}`, exact: true }).click();
      assert.ok((await page.locator(".opened").textContent())!.includes(`${origin}, entry ${own[0]!.index}`));
    });
  });

  test("everything can be reached and read without a mouse or a screen", async () => {
    await withPage(async (page) => {
      await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement?.id), "bundle-file");
      await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement?.id), "trust-file");
      await verify(page);
      await page.locator("#records tbody tr").first().waitFor();
      assert.equal(await page.evaluate(() => document.activeElement?.id), "verdict-title");
      assert.match(await page.title(), /^Good/);
      for (const name of ["Good", "Question", "Models", "Devices", "Records", "Checks"]) {
        await page.getByRole("region", { name, exact: true }).getByRole("heading", { name, level: 2 }).waitFor();
      }
      await page
        .getByRole("table", { name: `${total()} records` })
        .getByRole("columnheader")
        .first()
        .waitFor();
      const details = page.getByRole("button", { name: /^Details/ }).first();
      await details.focus();
      await page.keyboard.press("Enter");
      await page.locator(".opened").waitFor();
      assert.equal(await details.getAttribute("aria-expanded"), "true");
      await page.keyboard.press("Enter");
      assert.equal(await page.locator(".opened").count(), 0);
    });
  });

  test("fits a narrow page without scrolling sideways", async () => {
    await withPage(async (page) => {
      await page.setViewportSize({ width: 360, height: 700 });
      await verify(page);
      await page.locator("#records tbody tr").first().waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    });
  });

  test("no request is made, from disk or served, and none could be", async () => {
    await withPage(async (page) => {
      const asked: string[] = [];
      page.on("request", (request) => asked.push(request.url()));
      await verify(page);
      await page.locator("#records tbody tr").first().waitFor();
      assert.deepEqual(
        asked.filter((address) => !address.startsWith("blob:")),
        [],
      );
    });
    const paths: string[] = [];
    const server = await serve((path) => paths.push(path));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/verify`;
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(address);
    assert.match(await verify(page), /^Good/);
    assert.match(
      (await page.locator("#where-from").textContent())!,
      /^This copy was served by 127\.0\.0\.1.*your own copy/,
    );
    const reached = await page.evaluate(async (to) => {
      const image = new Image();
      const loaded = new Promise((resolve) => {
        image.addEventListener("load", () => resolve("loaded"));
        image.addEventListener("error", () => resolve("refused"));
      });
      image.src = `${to}/image`;
      const fetched = await fetch(`${to}/fetch`).then(
        () => "fetched",
        () => "refused",
      );
      return [fetched, await loaded];
    }, address);
    assert.deepEqual(reached, ["refused", "refused"]);
    await context.close();
    server.close();
    assert.deepEqual(paths, ["/verify"]);
  });
});

function serve(asked: (path: string) => void): Promise<Server> {
  const page = buildPage();
  const server = createServer((request, response) => {
    asked(request.url ?? "");
    response.setHeader("content-type", "text/html; charset=utf-8").end(page);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}
