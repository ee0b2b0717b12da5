import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { newIdentity, unsealSegment } from "@tally/edge";
import { parseArtifactName, unpackModelKit } from "@tally/oci";
import { repositoryOf } from "../artifact.ts";
import { collect, withJson, withPlane } from "../options.ts";
import { connect, type PlaneFlags } from "../plane-client.ts";
import type { Register } from "../register.ts";
import { counted, print, say } from "../terminal/index.ts";
import { readIdentities } from "../verify-folder.ts";

/** `tally data pull REF -o DIR`: one segment as it lies in the registry. */
export const dataPull: Register = (program, { terminal }) => {
  const command = program
    .command("pull")
    .description("unpack one segment as it is, with its Kitfile; `tally verify DIR` says what is proven of it")
    .argument("<ref>", "repository@sha256:…, as `data query` and the registry's referrers name it")
    .requiredOption("-o, --output <dir>", "a folder that is not there yet");
  withJson(withPlane(command)).action(async (ref: string, options: PlaneFlags & { readonly output: string }) => {
    const { repository, reference } = parseArtifactName(ref);
    const source = repositoryOf(await connect(terminal, options), repository);
    const into = resolve(terminal.cwd, options.output);
    const { resolved, files } = await unpackModelKit({ source, reference, into, writeKitfile: true });
    const made = { manifest: resolved.digest, repository, folder: into, files: files.map(({ name }) => name) };
    print(terminal, options.json, made, () => [resolved.digest]);
    say(
      terminal,
      `unpacked ${counted(files.length, "file")} to ${into}; nothing of it is verified yet: tally verify ${options.output}`,
    );
  });
};

/** `tally data open FOLDER -o DIR --identity FILE`: an encrypted segment as it would be in the clear. */
export const dataOpen: Register = (program, { terminal }) => {
  const command = program
    .command("open")
    .description(
      "decrypt an unpacked segment into a folder with the files of one in the clear; all of it is checked first",
    )
    .argument("<folder>", "the unpacked segment")
    .requiredOption("-o, --output <dir>", "a folder that is not there yet")
    .requiredOption("--identity <file>", "age identity of a recipient, as age-keygen writes it (repeatable)", collect);
  withJson(command).action(
    async (
      folder: string,
      options: { readonly output: string; readonly identity: readonly string[]; readonly json?: boolean },
    ) => {
      const identities = await readIdentities(terminal, options.identity);
      const into = resolve(terminal.cwd, options.output);
      const { origin, from, to, rows } = await unsealSegment(resolve(terminal.cwd, folder), into, identities);
      print(terminal, options.json, { origin, from, to, rows: rows.length, folder: into }, () => [into]);
      say(terminal, `opened ${counted(rows.length, "row")} of ${origin}; contents lie in the clear there`);
    },
  );
};

/** `tally data keygen NAME`: an age identity that devices encrypt segments to. */
export const dataKeygen: Register = (program, { terminal }) => {
  const command = program
    .command("keygen")
    .description(
      "make an age identity to open encrypted segments with: NAME.age (0600), hybrid with ML-KEM; age-keygen makes others",
    )
    .argument("<name>", "path and name of the file, such as keys/ward-7");
  withJson(command).action(async (name: string, options: { readonly json?: boolean }) => {
    const { identity, recipient } = await newIdentity();
    const path = resolve(terminal.cwd, `${name}.age`);
    const text = `# public key: ${recipient}\n${identity}\n`;
    await writeFile(path, text, { flag: "wx", mode: 0o600 });
    print(terminal, options.json, { recipient, identity: path }, () => [recipient]);
    say(terminal, `wrote ${path} (keep it to yourself); devices take the line above as a recipient`);
  });
};
