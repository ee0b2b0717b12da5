// C2SP tlog-policy: which logs and witnesses are known, and which witnesses together are enough.
//
//     log <vkey> [<url>]
//     witness <name> <vkey> [<url>]
//     group <name> all|any|<k> <member>…
//     quorum <name>|none
import { toHex } from "../bytes.ts";
import { EvidenceError } from "../error.ts";
import { type KeyType, type NoteKey, parseVkey } from "./note-key.ts";

/** A witness as the policy names it. */
export interface PolicyWitness {
  readonly key: NoteKey;
  readonly url?: string;
}

/** Which witnesses have to cosign. */
export type Quorum =
  | "none"
  | { readonly kind: "witness"; readonly name: string }
  | { readonly kind: "group"; readonly name: string; readonly threshold: number; readonly members: readonly Quorum[] };

/** A parsed policy. */
export interface WitnessPolicy {
  readonly logs: readonly NoteKey[];
  /** URLs of logs that have one, by the log's key name. */
  readonly logUrls: ReadonlyMap<string, string>;
  /** By the policy's own names for them, which need not be the key names. */
  readonly witnesses: ReadonlyMap<string, PolicyWitness>;
  readonly quorum: Quorum;
}

const logTypes: readonly KeyType[] = [1, 2, 6];
const witnessTypes: readonly KeyType[] = [4, 6];

/**
 * Reads a policy file.
 *
 * @throws EvidenceError `policy-invalid`, naming the line
 */
export function parsePolicy(text: string): WitnessPolicy {
  const reader = new PolicyReader();
  text.split("\n").forEach((line, i) => {
    try {
      reader.read(line);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : "";
      throw new EvidenceError("policy-invalid", `line ${i + 1} of the witness policy: ${why}`, { cause });
    }
  });
  return reader.policy();
}

class PolicyReader {
  readonly #logs: NoteKey[] = [];
  readonly #logUrls = new Map<string, string>();
  readonly #witnesses = new Map<string, PolicyWitness>();
  readonly #rules = new Map<string, Quorum>();
  readonly #members = new Set<string>();
  readonly #publicKeys = new Set<string>();
  #quorum: Quorum | undefined;

  read(line: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the specification allows no control character but the tab
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) throw invalid("a control character");
    const words = line.split(/[ \t]+/).filter((word) => word !== "");
    const keyword = words[0];
    if (keyword === undefined || keyword.startsWith("#")) return;
    if (keyword === "log") this.#log(words);
    else if (keyword === "witness") this.#witness(words);
    else if (keyword === "group") this.#group(words);
    else if (keyword === "quorum") this.#setQuorum(words);
    else throw invalid(`"${keyword}" is not log, witness, group or quorum`);
  }

  policy(): WitnessPolicy {
    if (this.#quorum === undefined) {
      throw new EvidenceError("policy-invalid", "the witness policy has no quorum line", {
        hint: 'write "quorum none" to ask for no witness',
      });
    }
    return Object.freeze({
      logs: Object.freeze(this.#logs),
      logUrls: this.#logUrls,
      witnesses: this.#witnesses,
      quorum: this.#quorum,
    });
  }

  #log([, vkey, url, ...rest]: string[]): void {
    if (vkey === undefined || rest.length > 0) throw invalid("a log line is: log <vkey> [<url>]");
    const key = this.#key("log", vkey, logTypes);
    this.#logs.push(key);
    if (url !== undefined) this.#logUrls.set(key.name, url);
  }

  #witness([, name, vkey, url, ...rest]: string[]): void {
    if (name === undefined || vkey === undefined || rest.length > 0) {
      throw invalid("a witness line is: witness <name> <vkey> [<url>]");
    }
    this.#define(name, { kind: "witness", name });
    const key = this.#key("witness", vkey, witnessTypes);
    this.#witnesses.set(name, Object.freeze(url === undefined ? { key } : { key, url }));
  }

  #group([, name, threshold, ...names]: string[]): void {
    if (name === undefined || threshold === undefined || names.length === 0) {
      throw invalid("a group line is: group <name> all|any|<k> <member>…");
    }
    const members = names.map((member) => {
      const rule = this.#rules.get(member);
      if (rule === undefined) throw invalid(`${member} is not defined on a line before`);
      if (this.#members.has(member)) throw invalid(`${member} is a member of a group already`);
      this.#members.add(member);
      return rule;
    });
    this.#define(name, { kind: "group", name, threshold: readThreshold(threshold, members.length), members });
  }

  #setQuorum([, name, ...rest]: string[]): void {
    if (name === undefined || rest.length > 0) throw invalid("a quorum line is: quorum <name>");
    if (this.#quorum !== undefined) throw invalid("a second quorum");
    const rule = name === "none" ? "none" : this.#rules.get(name);
    if (rule === undefined) throw invalid(`${name} is not defined on a line before`);
    this.#quorum = rule;
  }

  #define(name: string, rule: Quorum): void {
    if (name === "none") throw invalid('"none" cannot be a name');
    if (this.#rules.has(name)) throw invalid(`${name} is defined already`);
    this.#rules.set(name, Object.freeze(rule));
  }

  #key(role: string, vkey: string, types: readonly KeyType[]): NoteKey {
    const key = parseVkey(vkey);
    if (!types.includes(key.type)) throw invalid(`a ${role} cannot have a key of type ${key.type}`);
    // The same key under two names would let one party count twice.
    const identity = `${role} ${toHex(key.publicKey)}`;
    if (this.#publicKeys.has(identity)) throw invalid(`the key of ${key.name} is there already`);
    this.#publicKeys.add(identity);
    return key;
  }
}

function readThreshold(text: string, members: number): number {
  if (text === "any") return 1;
  if (text === "all") return members;
  const threshold = /^[1-9][0-9]{0,8}$/.test(text) ? Number(text) : 0;
  if (threshold < 1 || threshold > members) throw invalid(`"${text}" of ${members} members is no threshold`);
  return threshold;
}

function invalid(why: string): EvidenceError {
  return new EvidenceError("policy-invalid", why);
}
