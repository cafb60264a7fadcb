import { memoryBytes } from '../../release/matrix/admission.ts';
import { releaseMatrix } from '../../release/matrix/index.ts';
import { memoryDefault } from '../../release/matrix/memory.ts';
import type { Row } from '../../release/matrix/types.ts';
import { cacheLimit } from '../../sources/cache.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { decorated } from '../print.ts';
import { releaseTable, resultTable } from '../release-table.ts';

interface ReleaseOptions {
  readonly recipe: string;
  readonly output: string;
  readonly only?: readonly string[];
  readonly jobs?: string;
  readonly memory?: string;
  /** `false` for --no-published. */
  readonly published?: string | boolean;
  readonly frozen?: boolean;
  readonly unsigned?: boolean;
  readonly url?: string;
  readonly componentVersion?: readonly string[];
  readonly json?: boolean;
}

/** Builds the releases of a recipe's matrix and reports what came of each; throws when one failed. */
export async function release(options: ReleaseOptions, context: Context): Promise<void> {
  const limit = cacheLimit();
  const jobs = jobsOf(options.jobs);
  const memory = options.memory === undefined ? memoryDefault() : memoryBytes(options.memory, '--memory');
  const live = process.stderr.isTTY === true && process.env.TERM !== 'dumb';
  const view = releaseTable({ output: process.stderr, live, colour: decorated(process.stderr) });
  let rows: readonly Row[];
  try {
    rows = await releaseMatrix({
      recipe: options.recipe,
      output: options.output,
      context,
      view,
      frozen: options.frozen === true,
      unsigned: options.unsigned === true,
      jobs,
      memory,
      cacheLimit: limit,
      ...(options.url === undefined ? {} : { url: addressOf(options.url) }),
      versions: Object.fromEntries((options.componentVersion ?? []).map(componentVersion)),
      ...(options.only === undefined ? {} : { only: options.only }),
      ...(typeof options.published === 'string'
        ? { published: options.published }
        : options.published === false
          ? { published: false as const }
          : {}),
    });
  } finally {
    view.stop();
  }
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ folder: options.output, releases: rows.map(facts) })}\n`
      : `${resultTable(rows)}\n`,
  );
  throwFailures(rows, options.recipe);
}

function jobsOf(text: string | undefined): number {
  if (text === undefined) return 2;
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new SextantError('usage', `--jobs ${text}: not a number of releases`, {
    hint: 'give a number from 1 on',
  });
}

function addressOf(text: string): string {
  if (/^https?:\/\/[^/]/.test(text)) return text;
  throw new SextantError('usage', `--url ${text}: not an http or https address`, {
    hint: 'give the folder address that the releases will be served from',
  });
}

function componentVersion(text: string): [string, string] {
  const [, name, version] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name !== undefined && version !== undefined) return [name, version];
  throw new SextantError('usage', `--component-version ${text}: not COMPONENT=VERSION`);
}

function facts({
  id,
  distribution,
  asked,
  version,
  architectures,
  state,
  note,
  folder,
  release: made,
  error,
}: Row) {
  return {
    id,
    distribution,
    asked,
    version: version ?? null,
    architectures,
    state,
    folder: folder ?? null,
    note,
    ...(made === undefined ? {} : { release: made }),
    ...(error === undefined
      ? {}
      : {
          error: {
            code: error.code,
            message: error.message,
            ...(error.hint === undefined ? {} : { hint: error.hint }),
          },
        }),
  };
}

/** One that failed alone ends as it would have by itself; one among others that stand is `partial`. */
function throwFailures(rows: readonly Row[], recipe: string): void {
  const failed = rows.filter(({ state }) => state === 'failed');
  const [first] = failed;
  if (first?.error === undefined) return;
  if (rows.length === 1) throw first.error;
  const details = failed
    .flatMap(({ id, error }) => [
      `${id}: ${error?.message}`,
      ...(error?.hint === undefined ? [] : [`  hint: ${error.hint}`]),
    ])
    .join('\n');
  const all = failed.length === rows.length;
  const same = failed.every(({ error }) => error?.code === first.error?.code);
  throw new SextantError(
    all && same ? first.error.code : 'partial',
    `${recipe}: ${failed.length} of ${rows.length} releases failed`,
    { details, hint: 'mend them and run the same command again: what is done stays done' },
  );
}
