import { Decrypter, Encrypter, generateHybridIdentity, identityToRecipient } from "age-encryption";
import { EdgeError, messageOf } from "../error.ts";
import { asObject, asText } from "../folder/json.ts";

/** Who may open what is encrypted to them. */
export interface Recipient {
  /** For people: a team, a person, a purpose. Stands in the clear beside what is encrypted. */
  readonly name: string;
  /** An age recipient, `age1…` or `age1pq1…`. */
  readonly key: string;
}

const code = "config-invalid";
const mostRecipients = 64;
const largestIdentityFile = 1024 * 1024;

/**
 * The recipients of a device's configuration.
 *
 * @throws EdgeError `config-invalid` for a key that is none, a name that comes twice, or too many
 */
export function parseRecipients(value: unknown): readonly Recipient[] {
  if (!Array.isArray(value)) throw new EdgeError(code, "recipients is no list");
  if (value.length > mostRecipients) throw new EdgeError(code, `recipients are at most ${mostRecipients}`);
  const names = new Set<string>();
  return Object.freeze(
    value.map((item, i) => {
      const { name, key, ...others } = asObject(item, `recipients[${i}]`, code);
      const [unknown] = Object.keys(others);
      if (unknown !== undefined) throw new EdgeError(code, `recipients[${i}]: unknown member ${unknown}`);
      const recipient = {
        name: asText(name, `recipients[${i}].name`, code),
        key: asText(key, `recipients[${i}].key`, code),
      };
      if (recipient.name === "" || names.has(recipient.name)) {
        throw new EdgeError(code, `recipients[${i}] needs a name of its own`);
      }
      names.add(recipient.name);
      encrypterTo([recipient]);
      return Object.freeze(recipient);
    }),
  );
}

/** A new age identity, X25519 with ML-KEM-768, and the recipient that goes with it. */
export async function newIdentity(): Promise<{ readonly identity: string; readonly recipient: string }> {
  const identity = await generateHybridIdentity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/** The bytes as a binary age file that each of the recipients can open. */
export function sealTo(recipients: readonly Recipient[], bytes: Uint8Array): Promise<Uint8Array> {
  return encrypterTo(recipients).encrypt(bytes);
}

/**
 * The content of an age file, opened with any of the identities.
 *
 * @returns undefined where it is for none of them
 * @throws EdgeError `segment-invalid` where it is no age file, or was changed
 */
export async function openSealed(identities: readonly string[], bytes: Uint8Array): Promise<Uint8Array | undefined> {
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  try {
    return await decrypter.decrypt(bytes);
  } catch (cause) {
    if (/no identity matched/.test(messageOf(cause))) return undefined;
    throw new EdgeError("segment-invalid", `keys/keys.age cannot be opened: ${messageOf(cause)}`, { cause });
  }
}

/**
 * The identities of a file as `age-keygen` writes it: `AGE-SECRET-KEY-…` a line, with comments and empty lines.
 *
 * @throws EdgeError `config-invalid` naming the line; never a word of the key
 */
export function parseIdentities(text: string, file: string): readonly string[] {
  if (text.length > largestIdentityFile) throw new EdgeError(code, `${file} is too long for a file of identities`);
  if (text.startsWith("age-encryption.org/") || text.startsWith("-----BEGIN AGE ENCRYPTED FILE-----")) {
    throw new EdgeError(code, `${file} is itself encrypted`, { hint: `decrypt it first: age -d ${file}` });
  }
  const identities = text.split(/\r?\n/).flatMap((line, i) => {
    if (line === "" || line.startsWith("#")) return [];
    try {
      new Decrypter().addIdentity(line);
    } catch {
      throw new EdgeError(code, `line ${i + 1} of ${file} is no age identity`, {
        hint: "identities begin with AGE-SECRET-KEY-; `tally data keygen` and age-keygen make them",
      });
    }
    return [line];
  });
  if (identities.length === 0) throw new EdgeError(code, `${file} holds no age identity`);
  return identities;
}

function encrypterTo(recipients: readonly Recipient[]): Encrypter {
  const encrypter = new Encrypter();
  for (const { name, key } of recipients) {
    try {
      encrypter.addRecipient(key);
    } catch (cause) {
      throw new EdgeError(code, `the key of recipient ${name} is no age recipient`, {
        cause,
        hint: "write the public key that `tally data keygen` or age-keygen prints: age1…",
      });
    }
  }
  return encrypter;
}
