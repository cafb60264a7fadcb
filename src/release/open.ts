import { lockFileOf, readLock, requireWritable, staleness, writeLock } from '../lock/lock.ts';
import type { Lock } from '../lock/types.ts';
import { type LoadedRecipe, loadRecipe } from '../recipe/load.ts';
import { hostGo } from '../sources/go-module/index.ts';
import type { Architecture } from '../support/architecture.ts';
import type { Context } from '../support/context.ts';
import { SextantError } from '../support/errors.ts';
import { lockRecipe } from './lock-recipe.ts';
import { openSession, type Session } from './session.ts';

interface OpenRequest {
  readonly recipe: string;
  readonly context: Context;
  readonly frozen: boolean;
  /** Only these of the recipe's architectures. */
  readonly architectures?: readonly Architecture[];
  /** Resolve again even where the lock fits. */
  readonly update?: 'all' | readonly string[];
  /** With `update`: the tools' packages too, which are otherwise kept. */
  readonly updateTools?: boolean;
}

export interface Opened {
  readonly session: Session;
  readonly lock: Lock;
  readonly lockFile: string;
  readonly architectures: readonly Architecture[];
  /** Whether the lock was written just now. */
  readonly locked: boolean;
  /** The lock as it was before, where there was one. */
  readonly previous?: Lock;
}

/**
 * A recipe with a lock that fits it. Where the lock is missing or stale it is written (what still fits is kept); frozen, that is an
 * `input` error.
 */
export async function openRecipe(request: OpenRequest): Promise<Opened> {
  const loaded = await loadRecipe(request.recipe);
  // The recipe as it is: its matrix is what `sextant release` builds.
  return openVariant({ ...request, loaded: { ...loaded, recipe: { ...loaded.recipe, matrix: [] } } });
}

interface VariantRequest extends OpenRequest {
  /** The recipe of one release. */
  readonly loaded: LoadedRecipe;
  /** What its lock's file name has of it. */
  readonly variant?: string;
}

/** As `openRecipe`, for one release of a recipe that is loaded already. */
export async function openVariant(request: VariantRequest): Promise<Opened> {
  const { context, frozen, update, loaded } = request;
  const { recipe } = loaded;
  const architectures = chosen(request.recipe, recipe.architectures, request.architectures);
  const lockFile = lockFileOf(request.recipe, request.variant);
  const previous = await readLock(lockFile);
  const stale = previous === undefined ? 'there is none yet' : staleness(previous, recipe);
  if (stale !== undefined && frozen) {
    throw new SextantError('input', `${lockFile}: does not fit the recipe: ${stale}`, {
      hint: `run \`sextant lock --recipe ${request.recipe}\` with a network, then build with --frozen`,
    });
  }
  const again = update !== undefined || stale !== undefined;
  if (again) await requireWritable(lockFile);
  const needsGo = recipe.components.some(({ source }) => source.type === 'go-module');
  const kept = update === 'all' ? undefined : previous?.tools.go?.version;
  const go = kept ?? (needsGo ? await hostGo(context) : 'go0');
  const session = await openSession(loaded, context, { frozen, go });
  if (!again && previous !== undefined)
    return { session, lock: previous, lockFile, architectures, locked: false };
  if (update === undefined) context.progress.say(`locking ${request.recipe}: ${stale}`);
  const lock = await lockRecipe({
    session,
    architectures: recipe.architectures,
    ...(previous === undefined ? {} : { previous }),
    update: update ?? [],
    updateTools: request.updateTools === true,
  });
  await writeLock(lockFile, lock);
  return {
    session,
    lock,
    lockFile,
    architectures,
    locked: true,
    ...(previous === undefined ? {} : { previous }),
  };
}

function chosen(
  file: string,
  known: readonly Architecture[],
  wanted: readonly Architecture[] | undefined,
): readonly Architecture[] {
  const missing = wanted?.filter((architecture) => !known.includes(architecture)) ?? [];
  if (missing.length > 0) {
    throw new SextantError(
      'input',
      `${file}: is for ${known.join(' and ')}, not for ${missing.join(' and ')}`,
      {
        hint: 'add it to `architectures` in the recipe',
      },
    );
  }
  return wanted === undefined ? known : known.filter((architecture) => wanted.includes(architecture));
}
