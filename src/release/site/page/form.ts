import { renderActivation } from '../../../activation/render.ts';
import { activationInputOf, type NodeChoices } from '../../activation-input.ts';
import type { PageRelease } from './release-data.ts';

/** The form's fields by their names, as text; one that is not in the form is ''. */
export type FormValues = Readonly<Record<string, string>>;

/** What the form's fields say, as choices of an activation. Fields of a kind that is not chosen count for nothing. */
export function choicesOf(release: PageRelease, values: FormValues): NodeChoices {
  const text = (name: string) => (values[name] ?? '').trim();
  const proxy = text('proxy');
  const noProxy = text('noProxy');
  const url = text('url');
  return {
    ...(url === '' ? {} : { url }),
    node: nodeOf(release, text),
    ...(text('adopt') === '' ? {} : { adopt: true }),
    ...trustOf(release, text('trust')),
    ...(proxy === '' && noProxy === ''
      ? {}
      : {
          proxy: {
            ...(proxy === '' ? {} : { httpsProxy: proxy }),
            ...(noProxy === '' ? {} : { noProxy }),
          },
        }),
  };
}

/** The activation file, the same bytes as `sextant activation` gives. Throws a SextantError that names what is wrong. */
export function activationFile(release: PageRelease, values: FormValues): string {
  return renderActivation(activationInputOf(release, choicesOf(release, values)));
}

/** What is still to be filled in, for people; undefined when nothing is. */
export function missing(release: PageRelease, values: FormValues): string | undefined {
  const empty = (name: string) => (values[name] ?? '').trim() === '';
  const { kind } = values;
  if (kind === 'p2p' && empty('token')) return 'The network token is missing.';
  if (kind === 'agent' && release.distribution === 'k3s') {
    if (empty('server')) return 'The address of the server is missing.';
    if (empty('joinToken')) return 'The token of the server is missing.';
  }
  if (kind === 'agent' && release.distribution === 'k0s' && empty('tokenFile'))
    return 'The token file is missing.';
  if (empty('url')) return 'The address that the release is served from is missing (under "More").';
  return undefined;
}

function trustOf({ certificatePem }: PageRelease, trust: string): Pick<NodeChoices, 'strict'> {
  if (certificatePem === undefined) return {};
  if (trust === 'firmware') return { strict: {} };
  return trust === 'strict' ? { strict: { certificatePem } } : {};
}

function nodeOf(
  { distribution }: PageRelease,
  text: (name: string) => string,
): NonNullable<NodeChoices['node']> {
  const kind = text('kind');
  const args = text('args').split(/\s+/).filter(Boolean);
  const service = { enabled: true, ...(args.length > 0 ? { args } : {}) };
  const k0s = distribution === 'k0s';
  if (kind === 'p2p') {
    const role = text('role');
    return {
      ...(args.length > 0 ? { [k0s ? 'k0s' : 'k3s']: service } : {}),
      p2p: {
        networkToken: text('token'),
        ...(role === 'master' || role === 'worker' ? { role } : {}),
      },
    };
  }
  if (kind === 'agent') {
    if (k0s) return { k0sWorker: { enabled: true, args: [`--token-file=${text('tokenFile')}`, ...args] } };
    return { k3sAgent: { ...service, env: { K3S_URL: text('server'), K3S_TOKEN: text('joinToken') } } };
  }
  return k0s ? { k0s: service } : { k3s: service };
}
