import { releaseContents } from '../../../src/release/publish/contents.ts';
import { parseTarget } from '../../../src/release/publish/target.ts';
import { publishToRegistry, type RegistryOptions } from '../../../src/release/registry/publish.ts';
import { silent } from '../../../src/support/progress.ts';
import { instantClock } from '../../sources/context.ts';

/** Publishes a folder's release to acme/k8s of a registry, with a clock whose waits are over at once. */
export async function publishTo(
  host: string,
  folder: string,
  options: RegistryOptions & {
    readonly clock?: ReturnType<typeof instantClock>;
    readonly signal?: AbortSignal;
  } = {},
) {
  const { clock = instantClock(), signal = new AbortController().signal, ...rest } = options;
  const target = parseTarget(`oci://${host}/acme/k8s`);
  if (target.kind !== 'registry') throw new Error('not a registry');
  const context = { progress: silent, signal, clock };
  const contents = await releaseContents(folder, { ...context, cache: folder }, { tar: true });
  return publishToRegistry(contents, target.reference, context, { tag: 'v1.36.3-k3s0', ...rest });
}
