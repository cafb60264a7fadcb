import { join } from 'node:path';
import { materializePackages, toolCommand } from '../../sources/debian/index.ts';
import type { SourceContext } from '../../sources/types.ts';
import { ARCHITECTURE_NAMES, type Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import { run } from '../../support/subprocess.ts';
import { PINS } from './pins.ts';

/**
 * A C compiler whose output depends on nothing of the machine that builds: pinned clang and lld in a folder, the headers and libraries
 * of the target beside them, every path given. Not the machine's gcc, because then the same release built elsewhere would carry another
 * program. docs/decisions/0005.
 */
export interface Compiler {
  /** File with the licences of the C library that is linked in. */
  readonly libraryLicense: string;
  /** Compiles `source` of `folder` into `object` there. */
  compile(folder: string, source: string, object: string, flags: readonly string[]): Promise<void>;
  /** Links objects of `folder` into a static program there. */
  link(folder: string, objects: readonly string[], program: string): Promise<void>;
}

/** Raised whenever the same sources would give other bytes. */
const COMPILER_VERSION = 1;

const CLANG = '19';
const GCC = '14';

/** -fwrapv is how QuickJS is meant to be compiled; -Os because the program is loaded from slow disks and runs for milliseconds. */
const FLAGS = [
  '-std=gnu11',
  '-Os',
  '-fwrapv',
  '-fno-strict-aliasing',
  '-fstack-protector-strong',
  '-ffunction-sections',
  '-fdata-sections',
  '-fno-ident',
  '-D_GNU_SOURCE',
];

/** Says what compiles for a target, and how: a part of every cache key, known without fetching anything. */
export function compilerIdentity(host: Architecture, target: Architecture): readonly string[] {
  const inputs = [...PINS.compiler[host].inputs, ...PINS.target[target].inputs];
  return [`compiler ${COMPILER_VERSION}`, target, ...FLAGS, ...inputs.map(({ sha256 }) => sha256)];
}

/** Fetches what is pinned, unless it is in the cache. */
export async function openCompiler(
  context: SourceContext,
  host: Architecture,
  target: Architecture,
): Promise<Compiler> {
  const [tools, root] = await Promise.all([
    fetched(() => materializePackages(PINS.compiler[host], context)),
    fetched(() => materializePackages(PINS.target[target], context)),
  ]);
  const machine = ARCHITECTURE_NAMES[target].machine;
  const triple = `${machine}-linux-musl`;
  const clang = toolCommand(tools, `usr/bin/clang-${CLANG}`);
  const lld = toolCommand(tools, `usr/bin/ld.lld-${CLANG}`);
  const libraries = join(root, 'usr/lib', triple);
  const helpers = join(root, 'usr/lib/gcc', `${machine}-linux-gnu`, GCC, 'libgcc.a');
  const execute = (command: readonly string[], folder: string) => {
    const [program = '', ...args] = command;
    return run(program, args, {
      cwd: folder,
      signal: context.signal,
      missingHint: 'clear the cache: `sextant cache clear`',
    });
  };
  return {
    libraryLicense: join(root, 'usr/share/doc/musl-dev/copyright'),
    async compile(folder, source, object, flags) {
      const headers = [
        join(tools, 'usr/lib', `llvm-${CLANG}`, 'lib/clang', CLANG, 'include'),
        join(root, 'usr/include', triple),
      ];
      await execute(
        [
          ...clang,
          '--no-default-config',
          `--target=${triple}`,
          '-nostdinc',
          ...headers.flatMap((path) => ['-isystem', path]),
          `-ffile-prefix-map=${folder}=.`,
          ...FLAGS,
          ...flags,
          '-c',
          source,
          '-o',
          object,
        ],
        folder,
      );
    },
    async link(folder, objects, program) {
      const of = (name: string) => join(libraries, name);
      await execute(
        [
          ...lld,
          '-static',
          '--gc-sections',
          '--strip-all',
          '--build-id=none',
          ...['noexecstack', 'relro', 'now'].flatMap((option) => ['-z', option]),
          '-o',
          program,
          of('crt1.o'),
          of('crti.o'),
          ...objects,
          // The two libraries need each other.
          '--start-group',
          of('libc.a'),
          helpers,
          '--end-group',
          of('crtn.o'),
        ],
        folder,
      );
    },
  };
}

/** The pins are this program's own: what a person can do about a dropped package is not `sextant lock`. */
export async function fetched<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (
      error instanceof SextantError &&
      error.code === 'input' &&
      /no longer in the archive/.test(error.message)
    ) {
      throw new SextantError('input', `${error.message}: it compiles sextant-node`, {
        hint: 'use a newer sextant, or in a checkout `npm run pin:node`; or name a mirror that kept it in the recipe',
        cause: error,
      });
    }
    throw error;
  }
}
