// SoftHSM, a PKCS #11 token in software, and OpenSC's pkcs11-tool: keys that are made in the token and never leave it sign what Tally
// signs, and everything that a token may refuse is said in words.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { publicKeyPem, type Signer, utf8, verifyWithIdentity } from "@tally/evidence";
import { type Cryptoki, openCryptoki } from "../packages/cli/src/keys/pkcs11/cryptoki.ts";
import { openTokenSigner } from "../packages/cli/src/keys/pkcs11/token-signer.ts";
import type { Terminal } from "../packages/cli/src/terminal/index.ts";
import { program } from "./programs.ts";
import { temporaryFolder } from "./server-process.ts";

const run = promisify(execFile);
const tally = fileURLToPath(new URL("../packages/cli/bin/tally.js", import.meta.url));

/** A folder of tokens, which SoftHSM finds by SOFTHSM2_CONF. */
class Tokens {
  readonly folder: string;
  readonly library: string;
  readonly #util: string;
  readonly #tool: string;

  private constructor(folder: string, library: string, util: string, tool: string) {
    this.folder = folder;
    this.library = library;
    this.#util = util;
    this.#tool = tool;
  }

  static async create(t: TestContext): Promise<Tokens | undefined> {
    const found = ["libsofthsm2.so", "softhsm2-util", "pkcs11-tool"].map((name) => program(t, name));
    const [library, util, tool] = found;
    if (library === undefined || util === undefined || tool === undefined) return undefined;
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, "tokens"));
    const conf = join(folder, "softhsm2.conf");
    await writeFile(conf, `directories.tokendir = ${join(folder, "tokens")}\nlog.level = ERROR\n`);
    process.env.SOFTHSM2_CONF = conf;
    return new Tokens(folder, library, util, tool);
  }

  async token(label: string, pin = "1234"): Promise<void> {
    await run(this.#util, ["--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "56785678"]);
  }

  tool(token: string, ...args: readonly string[]) {
    return run(this.#tool, ["--module", this.library, "--token-label", token, "--login", "--pin", "1234", ...args]);
  }

  async key(token: string, type: string, label: string, id: string, ...more: readonly string[]): Promise<void> {
    const args = ["--keypairgen", "--key-type", type, "--label", label, "--id", id, "--usage-sign", ...more];
    await this.tool(token, ...args);
  }

  uri(path: string): string {
    return `pkcs11:${path}?module-path=${encodeURIComponent(this.library).replaceAll("%2F", "/")}`;
  }

  async open(t: TestContext, path: string, at = terminal({}), open?: (path: string) => Promise<Cryptoki>) {
    const signer = await openTokenSigner(at, this.uri(path), open);
    t.after(() => signer.close?.());
    return signer;
  }
}

function terminal(changes: Partial<Terminal>, env: Record<string, string> = { TALLY_PKCS11_PIN: "1234" }): Terminal {
  const output = { write: () => true };
  const stdin = (async function* () {})();
  return { stdout: output, stderr: output, env, cwd: "/", stdin, stop: new AbortController().signal, ...changes };
}

async function requireSigns(signer: Signer, times = 1): Promise<void> {
  for (let i = 0; i < times; i++) {
    const message = utf8(`words ${i}`);
    assert.ok(verifyWithIdentity(signer.identity, message, await signer.sign(message)), `signature ${i}`);
  }
}

/** The library, but for what these functions answer. */
function answering(answers: Partial<Record<string, number>>) {
  return async (path: string): Promise<Cryptoki> => {
    const real = await openCryptoki(path);
    const call: Cryptoki["call"] = async (name, ...args) => answers[name] ?? real.call(name, ...args);
    return { ...real, call };
  };
}

test("keys that are made in a token sign: P-256, P-384 and Ed25519, and every signature is in the form that others take", async (t) => {
  const tokens = await Tokens.create(t);
  if (tokens === undefined) return;
  await tokens.token("release keys");
  const kinds = [
    ["EC:prime256v1", "p-256", "01"],
    ["EC:secp384r1", "p-384", "02"],
    ["EC:edwards25519", "ed25519", "03"],
  ] as const;
  for (const [type, algorithm, id] of kinds) {
    await tokens.key("release keys", type, algorithm, id);
    const signer = await tokens.open(t, `token=release%20keys;object=${algorithm}`);
    assert.equal(signer.identity.algorithm, algorithm);
    // Of r and s, one in 128 begins with a zero byte, and every other one needs one in front.
    await requireSigns(signer, 400);
    const byId = await tokens.open(t, `id=%${id}`);
    assert.equal(byId.keyId, signer.keyId);
  }
});

test("a model and a statement are signed with a key in a token by the command line, and verify with its public half", async (t) => {
  const tokens = await Tokens.create(t);
  if (tokens === undefined) return;
  await tokens.token("release");
  await tokens.key("release", "EC:prime256v1", "publisher", "01");
  const { identity } = await tokens.open(t, "token=release;object=publisher");
  const [model, predicate, pub, pin] = ["model", "predicate.json", "pub.pem", "pin"].map((name) =>
    join(tokens.folder, name),
  ) as [string, string, string, string];
  await mkdir(model);
  await writeFile(join(model, "model.onnx"), "weights");
  await writeFile(predicate, "{}");
  await writeFile(pub, publicKeyPem(identity.spki));
  await writeFile(pin, "1234\n", { mode: 0o600 });
  const env = { ...process.env, TALLY_CWD: tokens.folder };
  const cli = (...args: readonly string[]) => run(process.execPath, [tally, ...args], { cwd: tokens.folder, env });
  const key = `${tokens.uri("token=release;object=publisher")}&pin-source=file:${pin}`;
  await cli("model", "sign", model, "--key", key);
  const { stdout } = await cli("model", "verify", model, "--key", pub);
  assert.match(stdout, /good: these are the files that were signed/);
  const statement = ["--type", "https://example.org/note/v1", "--subject", model, "-o", "note.json"];
  await cli("statement", "sign", predicate, ...statement, "--key", key);
  await assert.rejects(cli("model", "sign", model, "--force", "--key", key.replace("file:", "file:/nowhere")), {
    code: 2,
    stderr: /^error: there is no \/nowhere/,
  });
});

test("a PIN comes from a file, the environment or the person, and where it is wrong the token says so", async (t) => {
  const tokens = await Tokens.create(t);
  if (tokens === undefined) return;
  await tokens.token("release");
  await tokens.key("release", "EC:prime256v1", "publisher", "01");
  const asked: string[] = [];
  const ask = async (question: string) => {
    asked.push(question);
    return "1234";
  };
  const path = "token=release;object=publisher";
  const first = await tokens.open(t, path, terminal({ ask }, {}));
  await requireSigns(first);
  assert.deepEqual(asked, ["PIN of token release: "]);
  await first.close?.();
  await assert.rejects(tokens.open(t, path, terminal({}, {})), {
    exitCode: 2,
    message: /nobody is at a terminal/,
    hint: /pin-source=file:.*TALLY_PKCS11_PIN/,
  });
  for (const wrong of ["9999", "1", "x".repeat(300)]) {
    await assert.rejects(
      tokens.open(t, path, terminal({}, { TALLY_PKCS11_PIN: wrong })),
      (error: Error) => error.message === "that is not the PIN of token release" && !error.message.includes(wrong),
    );
  }
  const warned: string[] = [];
  const stderr = { write: (text: string) => warned.push(text) };
  const byValue = await openTokenSigner(terminal({ stderr }, {}), `${tokens.uri(path)}&pin-value=1234`);
  t.after(() => byValue.close?.());
  await requireSigns(byValue);
  assert.match(warned.join(""), /^warning: a PIN in an argument can be seen/);
});

test("a token that is locked, or whose user has no PIN yet, is not tried and says what helps", async (t) => {
  const tokens = await Tokens.create(t);
  if (tokens === undefined) return;
  await tokens.token("release");
  await tokens.key("release", "EC:prime256v1", "publisher", "01");
  const refusals: [number, RegExp, RegExp][] = [
    [0xa4, /token release is locked: too many wrong PINs/, /security officer/],
    [0xa3, /PIN of token release has expired/, /new one/],
    [0x102, /token release has no PIN for its user yet/, /init-pin/],
    [0x30, /token release lets nobody log in: the PKCS #11 library answered 0x30 \(deviceError\)/, /^$/],
  ];
  // SoftHSM itself never locks; what tokens that do answer is put in its mouth.
  for (const [answer, message, hint] of refusals) {
    await assert.rejects(
      tokens.open(t, "token=release", undefined, answering({ C_Login: answer })),
      (error: Error & { hint?: string }) => message.test(error.message) && hint.test(error.hint ?? ""),
      `0x${answer.toString(16)}`,
    );
  }
  const util = program(t, "pkcs11-tool")!;
  const init = ["--module", tokens.library, "--init-token", "--label", "bare", "--so-pin", "56785678"];
  const { stdout } = await run(util, ["--module", tokens.library, "--list-slots"]);
  const free = [...stdout.matchAll(/Slot (\d+) \(/g)].map(([, index]) => index!).at(-1)!;
  await run(util, [...init, "--slot-index", free]);
  await assert.rejects(tokens.open(t, "token=bare"), { message: "token bare has no PIN for its user yet" });
});

test("no token, no key, two keys of one name: each is told with what is there instead", async (t) => {
  const tokens = await Tokens.create(t);
  if (tokens === undefined) return;
  await assert.rejects(tokens.open(t, "token=release"), { exitCode: 2, message: /no token is there/ });
  await tokens.token("release");
  await tokens.token("other");
  await assert.rejects(tokens.open(t, "token=releases"), {
    exitCode: 2,
    message: /no token fits pkcs11:token=releases: there are .*release \(serial [0-9a-f]+\)/,
  });
  await assert.rejects(tokens.open(t, "object=publisher"), {
    message: /^2 tokens fit pkcs11:object=publisher: /,
    hint: "add ;serial=… to the URI",
  });
  await assert.rejects(tokens.open(t, "token=release"), { message: /it has none/ });
  await tokens.key("release", "EC:prime256v1", "publisher", "0a");
  await requireSigns(await tokens.open(t, "token=release"));
  await tokens.key("release", "EC:prime256v1", "publisher", "0b");
  await assert.rejects(tokens.open(t, "token=release;object=reviewer"), {
    message: /no private key that fits .*: it has object=publisher;id=%0[ab], object=publisher;id=%0[ab]$/,
  });
  await assert.rejects(tokens.open(t, "token=release;object=publisher"), {
    exitCode: 2,
    message: /^2 private keys fit pkcs11:token=release;object=publisher: object=publisher;id=%0[ab], /,
    hint: "name one by its ;id=…",
  });
  const [a, b] = [await tokens.open(t, "token=release;id=%0a"), await tokens.open(t, "token=release;id=%0b")];
  assert.notEqual(a.keyId, b.keyId);
  // One session is closed, and the other goes on.
  await a.close?.();
  await requireSigns(b);
});

test("a key of another kind, or one whose public half the token does not tell, is refused", async (t) => {
  const tokens = await Tokens.create(t);
  if (tokens === undefined) return;
  await tokens.token("release");
  await tokens.key("release", "rsa:2048", "rsa", "01");
  await assert.rejects(tokens.open(t, "object=rsa"), { exitCode: 2, message: /does not tell the public half/ });
  await tokens.key("release", "EC:secp521r1", "large", "02");
  await assert.rejects(tokens.open(t, "object=large"), { exitCode: 2, message: /kind which signs nothing here/ });
  await tokens.key("release", "EC:prime256v1", "lonely", "03");
  await tokens.tool("release", "--delete-object", "--type", "pubkey", "--id", "03");
  await assert.rejects(tokens.open(t, "object=lonely"), { message: /does not tell the public half/ });
});

test("a token that shows another key's public half is found out by its first signature", async (t) => {
  const tokens = await Tokens.create(t);
  if (tokens === undefined) return;
  await tokens.token("release");
  await tokens.key("release", "EC:prime256v1", "publisher", "01");
  await tokens.key("release", "EC:prime256v1", "other", "02");
  const other = join(tokens.folder, "other.der");
  await tokens.tool("release", "--read-object", "--type", "pubkey", "--id", "02", "-o", other);
  await tokens.tool("release", "--delete-object", "--type", "pubkey", "--id", "01");
  await tokens.tool("release", "--write-object", other, "--type", "pubkey", "--id", "01", "--label", "publisher");
  const signer = await tokens.open(t, "token=release;object=publisher");
  await assert.rejects(signer.sign(utf8("words")), { exitCode: 3, message: /does not verify with the public key/ });
});

test("a key that asks for the PIN at each signature gets it", async (t) => {
  const tokens = await Tokens.create(t);
  if (tokens === undefined) return;
  await tokens.token("release");
  await tokens.key("release", "EC:prime256v1", "careful", "01", "--always-auth");
  await requireSigns(await tokens.open(t, "object=careful"), 3);
});

test("a token that is taken away in the middle signs nothing, and the command can be run again", async (t) => {
  const tokens = await Tokens.create(t);
  if (tokens === undefined) return;
  await tokens.token("release");
  await tokens.key("release", "EC:prime256v1", "publisher", "01");
  const signer = await tokens.open(t, "token=release;object=publisher");
  await requireSigns(signer);
  for (const name of await readdir(join(tokens.folder, "tokens"))) {
    await rm(join(tokens.folder, "tokens", name), { recursive: true });
  }
  await assert.rejects(signer.sign(utf8("words")), {
    exitCode: 5,
    message: /token release is gone: nothing was signed/,
  });
  // The library finds new tokens when it is loaded anew.
  await signer.close?.();
  for (const answer of [0x32, 0xe0, 0xb3]) {
    const path = "token=release;object=publisher";
    await tokens.token("release");
    await tokens.key("release", "EC:prime256v1", "publisher", "01");
    const removed = await tokens.open(t, path, undefined, answering({ C_Sign: answer }));
    await assert.rejects(removed.sign(utf8("words")), { exitCode: 5, hint: "put it back, and run the command again" });
    await removed.close?.();
    await rm(join(tokens.folder, "tokens"), { recursive: true });
    await mkdir(join(tokens.folder, "tokens"));
  }
});

test("a library that is none, a relative one, and a module-name are told apart", async (t) => {
  const tokens = await Tokens.create(t);
  if (tokens === undefined) return;
  await tokens.token("release");
  await tokens.key("release", "EC:prime256v1", "publisher", "01");
  const open = (uri: string, env: Record<string, string> = {}) =>
    openTokenSigner(terminal({}, { TALLY_PKCS11_PIN: "1234", ...env }), uri);
  await assert.rejects(open("pkcs11:token=release"), { exitCode: 2, hint: /module-path.*TALLY_PKCS11_MODULE/ });
  await assert.rejects(open("pkcs11:token=release?module-path=x.so"), { message: /not named by an absolute path/ });
  await assert.rejects(open("pkcs11:token=release?module-path=/x.so"), {
    message: /there is no PKCS #11 library \/x.so/,
  });
  await assert.rejects(open(`pkcs11:?module-path=${fileURLToPath(import.meta.url)}`), {
    exitCode: 2,
    message: /cannot be used as a PKCS #11 library/,
  });
  await assert.rejects(open("pkcs11:?module-name=../x"), { message: /is no module-name/ });
  const byName = await open("pkcs11:token=release?module-name=softhsm2");
  await requireSigns(byName);
  await byName.close?.();
  const byVariable = await open("pkcs11:token=release", { TALLY_PKCS11_MODULE: tokens.library });
  await requireSigns(byVariable);
  await byVariable.close?.();
});
