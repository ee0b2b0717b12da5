import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { generatePrivateKeyPem, publicIdentityFromPem, utf8, verifyWithIdentity } from "@tally/evidence";
import { main } from "../main.ts";
import type { Terminal } from "../terminal/index.ts";
import { encryptPrivateKey } from "./encrypted-key.ts";
import { readSigningKey } from "./index.ts";

const dir = mkdtempSync(join(tmpdir(), "tally-keys-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const tally = fileURLToPath(new URL("../../bin/tally.js", import.meta.url));

function terminal(changes: Partial<Terminal> = {}): Terminal & { readonly said: string[] } {
  const said: string[] = [];
  const output = { write: (text: string) => said.push(text) };
  return {
    stdout: output,
    stderr: output,
    env: {},
    cwd: dir,
    stdin: (async function* () {})(),
    stop: new AbortController().signal,
    said,
    ...changes,
  };
}

function write(name: string, text: string, mode = 0o600): string {
  writeFileSync(join(dir, name), text);
  chmodSync(join(dir, name), mode);
  return name;
}

async function signs(name: string, at: Terminal, passphraseFile?: string): Promise<void> {
  await using key = await readSigningKey(at, { key: name, ...(passphraseFile && { passphraseFile }) });
  const message = utf8("words");
  assert.ok(verifyWithIdentity(key.signer.identity, message, await key.signer.sign(message)));
}

const plain = generatePrivateKeyPem("p-256");

test("a plain key that others on the machine may read is refused, with the command that helps", async () => {
  for (const mode of [0o644, 0o640, 0o604, 0o660]) {
    write("open.pem", plain, mode);
    await assert.rejects(signs("open.pem", terminal()), {
      exitCode: 2,
      message: /open\.pem holds a private key that no passphrase protects and is open to others \(0/,
      hint: `chmod 600 ${join(dir, "open.pem")}`,
    });
  }
  for (const mode of [0o600, 0o400]) await signs(write("own.pem", plain, mode), terminal());
});

test("a key under a passphrase opens with that of a file, of the environment, or of the person at the terminal", async () => {
  for (const algorithm of ["p-256", "p-384", "ed25519", "ml-dsa-44"] as const) {
    write("locked.pem", encryptPrivateKey(generatePrivateKeyPem(algorithm), "Größe 2 µm"), 0o644);
    if (algorithm !== "p-256") await signs("locked.pem", terminal({ env: { TALLY_KEY_PASSPHRASE: "Größe 2 µm" } }));
    else await signs("locked.pem", terminal(), write("passphrase", "Größe 2 µm\r\nnot this\n"));
  }
  const asked: string[] = [];
  const ask = (question: string) => {
    asked.push(question);
    return Promise.resolve("Größe 2 µm");
  };
  await signs("locked.pem", terminal({ ask }));
  assert.deepEqual(asked, ["passphrase of locked.pem: "]);
});

test("a wrong passphrase is said to be wrong, and nobody is asked where nobody is at a terminal", async () => {
  write("locked.pem", encryptPrivateKey(plain, "right"));
  const env = { TALLY_KEY_PASSPHRASE: "wrong" };
  await assert.rejects(signs("locked.pem", terminal({ env })), {
    exitCode: 2,
    message: "that is not the passphrase of locked.pem",
  });
  await assert.rejects(signs("locked.pem", terminal()), {
    exitCode: 2,
    message: /nobody is at a terminal/,
    hint: "give --passphrase-file FILE, or set TALLY_KEY_PASSPHRASE",
  });
});

test("a file with a passphrase is as private as a key", async () => {
  write("locked.pem", encryptPrivateKey(plain, "right"));
  write("open-passphrase", "right\n", 0o644);
  await assert.rejects(signs("locked.pem", terminal(), "open-passphrase"), { hint: /^chmod 600 / });
  write("empty", "\nright\n");
  await assert.rejects(signs("locked.pem", terminal(), "empty"), { message: "empty is empty" });
  write("long", "x".repeat(1025));
  await assert.rejects(signs("locked.pem", terminal(), "long"), { message: /more than 1024 bytes/ });
});

test("the passphrase goes through scrypt with 16 MiB five times, as anyone reads in the file", () => {
  const pem = encryptPrivateKey(plain, "right");
  const der = Buffer.from(pem.replace(/-----[A-Z ]+-----/g, ""), "base64").toString("hex");
  // INTEGER 16384, INTEGER 8, INTEGER 5, as RFC 7914, 7.1 has them after the salt.
  assert.match(der, /06092b06010401da47040b301c0410[0-9a-f]{32}02024000020108020105/);
  assert.notEqual(encryptPrivateKey(plain, "right"), pem);
});

const openssl = spawnSync("openssl", ["version"]).status === 0 ? false : "openssl is not on this machine";

test("openssl reads what keygen writes, and what openssl writes is read", { skip: openssl }, async () => {
  write("ours.pem", encryptPrivateKey(plain, "right"));
  const read = spawnSync("openssl", ["pkey", "-in", join(dir, "ours.pem"), "-passin", "pass:right"]);
  assert.equal(read.stdout.toString(), plain);
  write("plain.pem", plain);
  for (const kdf of [["-scrypt"], ["-v2", "aes-256-cbc", "-iter", "100000"]]) {
    const out = ["-in", join(dir, "plain.pem"), "-out", join(dir, "theirs.pem"), "-passout", "pass:right"];
    assert.equal(spawnSync("openssl", ["pkcs8", "-topk8", ...kdf, ...out]).status, 0);
    await signs("theirs.pem", terminal({ env: { TALLY_KEY_PASSPHRASE: "right" } }));
  }
});

test("keys that are not for this are named for what they are, with the next step", async () => {
  const wrong: [string, RegExp][] = [
    ["-----BEGIN OPENSSH PRIVATE KEY-----\nAA==\n-----END OPENSSH PRIVATE KEY-----\n", /ssh/],
    ["-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAA==\n-----END EC PRIVATE KEY-----\n", /MD5/],
    ["-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n", /holds no private key/],
    ["", /holds no private key/],
  ];
  for (const [pem, message] of wrong) {
    write("other.pem", pem);
    const at = terminal({ env: { TALLY_KEY_PASSPHRASE: "x" } });
    await assert.rejects(signs("other.pem", at), (error: Error & { exitCode?: number; hint?: string }) => {
      assert.match(error.message, message);
      assert.ok(error.hint);
      return error.exitCode === 2;
    });
  }
});

test("keygen encrypts with the passphrase that it is given, and asks a person twice", async () => {
  const given = terminal({ env: { TALLY_KEY_PASSPHRASE: "from the environment" } });
  assert.equal(await main(["keygen", "given"], given), 0);
  await signs("given.pem", given);
  assert.equal(statSync(join(dir, "given.pem")).mode & 0o777, 0o600);

  const answers = ["typed", "typed", "one", "other", ""];
  const ask = () => Promise.resolve(answers.shift()!);
  assert.equal(await main(["keygen", "typed"], terminal({ ask })), 0);
  await signs("typed.pem", terminal({ ask: () => Promise.resolve("typed") }));

  const differing = terminal({ ask });
  assert.equal(await main(["keygen", "differing"], differing), 2);
  assert.match(differing.said.join(""), /the two passphrases differ/);
  assert.equal(existsSync(join(dir, "differing.pem")), false);

  assert.equal(await main(["keygen", "without"], terminal({ ask })), 0);
  assert.match(readFileSync(join(dir, "without.pem"), "utf8"), /BEGIN PRIVATE KEY/);
  assert.equal(await main(["keygen", "unasked", "--no-passphrase"], given), 0);
  assert.match(readFileSync(join(dir, "unasked.pem"), "utf8"), /BEGIN PRIVATE KEY/);
});

test("a public key and the key id are the same under a passphrase as without", async () => {
  assert.equal(await main(["keygen", "pair"], terminal({ env: { TALLY_KEY_PASSPHRASE: "right" } })), 0);
  await using key = await readSigningKey(terminal({ env: { TALLY_KEY_PASSPHRASE: "right" } }), { key: "pair.pem" });
  assert.equal(publicIdentityFromPem(readFileSync(join(dir, "pair.pub.pem"), "utf8")).keyId, key.signer.keyId);
});

const pty = spawnSync("script", ["--version"]).status === 0 ? false : "script (util-linux) is not on this machine";

test("at a real terminal the passphrase is asked for and not shown", { skip: pty }, async () => {
  const command = `${process.execPath} ${tally} keygen ${join(dir, "terminal")}`;
  const child = spawn("script", ["-qec", command, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
  let screen = "";
  const answers = [/new passphrase for .*: /, /the same again: /];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    screen += text;
    if (answers[0]?.test(screen)) {
      answers.shift();
      child.stdin.write("not shown\r");
    }
  });
  const code = await new Promise((resolve) => child.once("exit", resolve));
  assert.equal(code, 0, screen);
  assert.deepEqual(answers, []);
  assert.ok(!screen.includes("not shown"), screen);
  await signs("terminal.pem", terminal({ env: { TALLY_KEY_PASSPHRASE: "not shown" } }));
});
