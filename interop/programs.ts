// Other people's programs: what they are called here and how each is installed. One row a program; `npm run interop` installs them,
// `program(t, name)` finds them. A row's name is the file's name in the tools folder, so a program that was built by hand and put
// there under that name is found as well.
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** How a program comes onto a machine. Versions are pinned, so that a run says what it ran. */
export type Install =
  /**
   * `go install <of>`, such as `example.org/tool/cmd/tool@v1.2.3`. With `module` it is built as a requirement of an otherwise empty
   * module instead: `go install` asks for the list of a module's versions too, which not every proxy gives out.
   */
  | {
      readonly by: "go";
      readonly of: string;
      readonly module?: string;
      readonly tags?: string;
      readonly env?: Readonly<Record<string, string>>;
    }
  /** A program of ours around a Go library, in `interop/go/<of>`. */
  | { readonly by: "go-main"; readonly of: string }
  /** A Go test suite as a program: `go test -c` of the package `of` at `version`. */
  | { readonly by: "go-test"; readonly of: string; readonly version: string }
  /** Packages in a virtual environment of their own, `run` in its `bin`. */
  | { readonly by: "pip"; readonly of: readonly string[]; readonly run: string }
  /** A package of Debian's, with root; `file` is what is wanted of it, in PATH or with an absolute path (a library). */
  | { readonly by: "apt"; readonly of: readonly string[]; readonly file: string }
  /** No client installs it: it is used where it was put into the tools folder by hand. */
  | { readonly by: "hand"; readonly why: string };

export interface Program {
  readonly name: string;
  readonly install: Install;
  /** Limit of its installation; 5 where it is not said. The whole of `npm run interop` has a limit too. */
  readonly minutes?: number;
}

/** In the order in which they are installed: quick ones first, so that the limit of the whole hits the slowest. */
export const programs: readonly Program[] = [
  { name: "docker-registry", install: { by: "apt", of: ["docker-registry"], file: "docker-registry" } },
  { name: "skopeo", install: { by: "apt", of: ["skopeo"], file: "skopeo" } },
  { name: "age", install: { by: "go", of: "filippo.io/age/cmd/age@v1.3.1" } },
  { name: "age-keygen", install: { by: "go", of: "filippo.io/age/cmd/age-keygen@v1.3.1" } },
  { name: "kit", install: { by: "go", of: "github.com/kitops-ml/kitops@v1.7.0" } },
  {
    name: "dataframes",
    install: { by: "pip", of: ["pandas==2.3.3", "pyarrow==22.0.0", "scikit-learn==1.7.2"], run: "python" },
  },
  { name: "tessera-fsck", install: { by: "go", of: "github.com/transparency-dev/tessera/cmd/fsck@v1.0.4" } },
  { name: "oras", install: { by: "go", of: "oras.land/oras/cmd/oras@v1.2.3", module: "oras.land/oras" } },
  {
    name: "oci-conformance",
    install: { by: "go", of: "github.com/opencontainers/distribution-spec/conformance@967efdc079b9" },
  },
  {
    name: "oci-conformance-1.1.1",
    install: {
      by: "go-test",
      of: "github.com/opencontainers/distribution-spec/conformance",
      version: "a139cc423184",
    },
  },
  {
    name: "tessera-oneshot",
    install: { by: "go", of: "github.com/transparency-dev/tessera/cmd/examples/posix-oneshot@v1.0.4" },
  },
  {
    name: "tessera-copy",
    install: { by: "go", of: "github.com/transparency-dev/tessera/cmd/experimental/mirror/posix@v1.0.4" },
  },
  { name: "verify-proof", install: { by: "go-main", of: "verify-proof" } },
  { name: "softhsm2-util", install: { by: "apt", of: ["softhsm2"], file: "softhsm2-util" } },
  { name: "libsofthsm2.so", install: { by: "apt", of: ["softhsm2"], file: "/usr/lib/softhsm/libsofthsm2.so" } },
  { name: "pkcs11-tool", install: { by: "apt", of: ["opensc"], file: "pkcs11-tool" } },
  { name: "ssh-agent", install: { by: "apt", of: ["openssh-client"], file: "ssh-agent" } },
  {
    name: "litewitness",
    install: { by: "go", of: "filippo.io/torchwood/cmd/litewitness@v0.9.0", module: "filippo.io/torchwood" },
  },
  { name: "tessera-mirror", install: { by: "hand", why: "no released version of Tessera has its mirror" } },
  {
    name: "tessera-mirror-client",
    install: { by: "hand", why: "no released version of Tessera has its mirror client" },
  },
  {
    // model_signing 1.1.1 imports OpenSSL without declaring that it needs it.
    name: "model_signing",
    install: { by: "pip", of: ["model-signing==1.1.1", "sigstore==4.5.1", "pyOpenSSL==26.4.0"], run: "model_signing" },
  },
  {
    name: "notation",
    install: {
      by: "go",
      of: "github.com/notaryproject/notation/cmd/notation@v1.3.2",
      module: "github.com/notaryproject/notation",
    },
  },
  // Its module asks for an experiment of the compiler.
  {
    name: "zot",
    install: { by: "go", of: "zotregistry.dev/zot/v2/cmd/zot@v2.1.20", env: { GOEXPERIMENT: "jsonv2" } },
    minutes: 10,
  },
  { name: "cosign", install: { by: "go", of: "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3" }, minutes: 15 },
];

/** Where installed programs are: TALLY_INTEROP_TOOLS, or a folder in the user's cache. */
export function toolsFolder(): string {
  const { TALLY_INTEROP_TOOLS, XDG_CACHE_HOME } = process.env;
  return TALLY_INTEROP_TOOLS || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "tally-interop", "bin");
}

/** What the last installation of a program came to, kept beside the programs. */
export interface Outcome {
  readonly install: Install;
  /** Why there is no program; absent where there is one. */
  readonly why?: string;
}

export function outcomeFile(name: string): string {
  return join(toolsFolder(), ".outcomes", `${name}.json`);
}

export function lastOutcome(name: string): Outcome | undefined {
  try {
    return JSON.parse(readFileSync(outcomeFile(name), "utf8")) as Outcome;
  } catch {
    return undefined;
  }
}

/**
 * The absolute path of a program of the table, or undefined after the test was skipped with a reason.
 * @throws {Error} if the table has no row of that name
 */
export function program(t: { skip(why: string): void }, name: string): string | undefined {
  if (process.env.TALLY_WITHOUT_PROGRAMS) {
    t.skip(`skipped: npm run interop runs it with ${name}`);
    return undefined;
  }
  const found = findProgram(name);
  if (found.path === undefined) t.skip(found.why);
  return found.path;
}

/** Likewise without a test: the path, or why there is none. */
export function findProgram(
  name: string,
): { readonly path: string } | { readonly path: undefined; readonly why: string } {
  if (!programs.some((row) => row.name === name)) throw new Error(`interop/programs.ts has no row ${name}`);
  const path = join(toolsFolder(), name);
  if (existsSync(path)) return { path };
  const why = lastOutcome(name)?.why ?? `${name} is not installed; npm run interop -- ${name} does it`;
  return { path: undefined, why: `skipped: ${why}` };
}
