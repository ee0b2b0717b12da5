import { join } from "node:path";
import { parsePolicy, utf8, type WitnessPolicy } from "@tally/evidence";
import { nodeFiles, writeDurably } from "@tally/ledger";
import { PlaneError } from "../error.ts";

const fileName = "witness-policy.txt";

/**
 * The policy that a plane is started with, and the one that its folder was last used with. What was published carries a
 * quorum of the earlier one, so where they differ both have to be asked before the first signature.
 */
export class WitnessPolicies {
  readonly given: WitnessPolicy;
  /** Where it is another one than the given. */
  readonly earlier: WitnessPolicy | undefined;
  readonly #path: string;
  readonly #text: string;
  #used: boolean;

  private constructor(path: string, text: string, earlier: WitnessPolicy | undefined, used: boolean) {
    this.#path = path;
    this.#text = text;
    this.given = parsePolicy(text);
    this.earlier = earlier;
    this.#used = used;
  }

  /** @throws PlaneError `configuration` when the folder was used with witnesses and `text` names none. */
  static async open(dir: string, text: string, withoutWitnesses: boolean): Promise<WitnessPolicies> {
    const path = join(dir, fileName);
    const bytes = await nodeFiles.readWhole(path);
    const stored = bytes === undefined ? undefined : new TextDecoder().decode(bytes);
    const before = stored === undefined || stored === text ? undefined : parsePolicy(stored);
    if (before === undefined || before.witnesses.size === 0) {
      return new WitnessPolicies(path, text, undefined, stored === text);
    }
    if (parsePolicy(text).witnesses.size > 0) return new WitnessPolicies(path, text, before, false);
    if (withoutWitnesses) return new WitnessPolicies(path, text, undefined, false);
    const names = [...before.witnesses.values()].map(({ key }) => key.name);
    throw new PlaneError(
      "configuration",
      `this plane has witnesses, and none are given: ${[...new Set(names)].join(", ")}`,
      {
        hint: `add --witness-policy ${path}; to do without them for good: --insecure-no-witnesses`,
      },
    );
  }

  /** Those of the names that this policy knows; a name that neither policy knows is left in, to be refused. */
  ignored(policy: WitnessPolicy, names: readonly string[]): ReadonlySet<string> {
    const other = policy === this.given ? this.earlier : this.given;
    return new Set(names.filter((name) => policy.witnesses.has(name) || other?.witnesses.has(name) !== true));
  }

  /** From the first signature on the given policy is the one that counts. */
  async use(): Promise<void> {
    if (this.#used) return;
    await writeDurably(nodeFiles, this.#path, utf8(this.#text));
    this.#used = true;
  }
}
