import { equalBytes } from "../bytes.ts";
import { beginSha256, type Hash } from "../digest.ts";
import { type ByteSource, readExactly } from "./byte-source.ts";
import { BundleDamage } from "./damage.ts";
import { memberHead } from "./layout.ts";
import { listFromTheEnd } from "./list-from-the-end.ts";
import { memberTypeName } from "./member.ts";

const pieceBytes = 1024 * 1024;

/**
 * The first member that is not as the list at the end of the file says, if that list can be found: where a length was
 * changed, the way through the file is lost behind it, and the list still knows it.
 */
export async function firstDifference(
  source: ByteSource,
  start: number,
  end: number,
): Promise<BundleDamage | undefined> {
  const found = await listFromTheEnd(source, start, end);
  if (found === undefined) return undefined;
  const heads = found.items.map(({ type, length }) => memberHead(type, length));
  const total = found.items.reduce((sum, { length }, i) => sum + heads[i]!.length + length, 0);
  let at = start;
  for (const [i, { type, length, digest }] of found.items.entries()) {
    const head = heads[i]!;
    if (!(await isIntact(source, at, head, length, digest))) {
      // With a first member that is whole where the list puts it, it was the header that changed its length.
      const shifted = i === 0 && start + total !== found.start;
      if (shifted && (await isIntact(source, found.start - total, head, length, digest))) {
        return new BundleDamage("header", 0, "it is shorter or longer than it was when the file was written");
      }
      return new BundleDamage(`member ${i} (${memberTypeName(type)})`, at, "it is not what the member list says");
    }
    at += head.length + length;
  }
  return undefined;
}

async function isIntact(source: ByteSource, at: number, head: Uint8Array, length: number, digest: Hash) {
  const content = at + head.length;
  if (at < 0 || content + length > source.size) return false;
  if (!equalBytes(await readExactly(source, at, head.length), head)) return false;
  const running = beginSha256();
  for (let done = 0; done < length; done += pieceBytes) {
    running.update(await readExactly(source, content + done, Math.min(pieceBytes, length - done)));
  }
  return equalBytes(running.digest(), digest);
}
