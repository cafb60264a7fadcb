import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { type ActivationChoices, releaseActivation } from '../../release/activation.ts';
import { readRelease } from '../../release/read.ts';
import { SextantError } from '../../support/errors.ts';
import { writeFileAtomically } from '../../support/files.ts';

interface ActivationOptions {
  readonly output?: string;
  readonly url?: string;
  readonly k3s?: boolean;
  readonly k3sAgent?: boolean;
  readonly k0s?: boolean;
  readonly k0sWorker?: boolean;
  readonly arg?: readonly string[];
  readonly env?: readonly string[];
  readonly p2pTokenFile?: string;
  readonly p2pRole?: 'master' | 'worker';
  readonly adopt?: boolean;
  readonly strict?: boolean;
  readonly certificate?: string;
  readonly httpProxy?: string;
  readonly httpsProxy?: string;
  /** What --no-proxy gives: commander takes it for the opposite of a --proxy, which is true where nothing is said. */
  readonly proxy?: string | boolean;
  readonly ca?: string;
  readonly mergeTimeout?: string;
}

/** Writes the activation file of a built release with what the options choose. */
export async function activation(folder: string, options: ActivationOptions): Promise<void> {
  const release = await readRelease(folder);
  const written = await releaseActivation(release, folder, await choices(options));
  if (options.output === undefined) {
    process.stdout.write(written);
    return;
  }
  // It may hold the token of a cluster or a proxy's password.
  await writeFileAtomically(options.output, written, 0o600);
  process.stdout.write(`wrote ${options.output}\nnext: put it in /oem on the node and reboot\n`);
}

async function choices(options: ActivationOptions): Promise<ActivationChoices> {
  const node = await nodePart(options);
  const { httpProxy, httpsProxy, proxy: noProxy } = options;
  const proxy = {
    ...(httpProxy === undefined ? {} : { httpProxy }),
    ...(httpsProxy === undefined ? {} : { httpsProxy }),
    ...(typeof noProxy === 'string' ? { noProxy } : {}),
  };
  if (options.certificate !== undefined && !options.strict) {
    throw new SextantError('usage', '--certificate is for --strict', {
      hint: 'add --strict, or leave --certificate away',
    });
  }
  return {
    ...(options.url === undefined ? {} : { url: options.url }),
    ...(node === undefined ? {} : { node }),
    ...(options.strict ? { strict: await whoseSignatures(options.certificate) } : {}),
    ...(options.adopt ? { adopt: true } : {}),
    ...(Object.keys(proxy).length === 0 ? {} : { proxy }),
    ...(options.ca === undefined ? {} : { caCertificatePem: await readFile(options.ca, 'utf8') }),
    ...(options.mergeTimeout === undefined ? {} : { mergeTimeoutSeconds: Number(options.mergeTimeout) }),
  };
}

/** `firmware` is a word, not a file: one of that name is `./firmware`. */
async function whoseSignatures(certificate?: string): Promise<NonNullable<ActivationChoices['strict']>> {
  if (certificate === undefined || certificate === 'firmware') return certificate ?? {};
  return { certificatePem: await readFile(certificate, 'utf8') };
}

async function nodePart(options: ActivationOptions): Promise<ActivationChoices['node']> {
  const services = (['k3s', 'k3sAgent', 'k0s', 'k0sWorker'] as const).filter((name) => options[name]);
  const details = {
    enabled: true,
    ...(options.arg === undefined ? {} : { args: [...options.arg] }),
    ...(options.env === undefined ? {} : { env: Object.fromEntries(options.env.map(variable)) }),
  };
  const p2p =
    options.p2pTokenFile === undefined
      ? undefined
      : {
          networkToken: (await readToken(options.p2pTokenFile)).trim(),
          ...(options.p2pRole === undefined ? {} : { role: options.p2pRole }),
        };
  if (services.length === 0 && p2p === undefined) {
    if (options.arg === undefined && options.env === undefined) return undefined;
    throw new SextantError('usage', '--arg and --env need to know what for', {
      hint: 'add one of --k3s, --k3s-agent, --k0s, --k0s-worker',
    });
  }
  return {
    ...Object.fromEntries(services.map((name) => [name, details])),
    ...(p2p === undefined ? {} : { p2p }),
  };
}

function variable(assignment: string): [string, string] {
  const equals = assignment.indexOf('=');
  if (equals < 1) throw new SextantError('usage', `--env ${assignment}: not NAME=VALUE`);
  return [assignment.slice(0, equals), assignment.slice(equals + 1)];
}

/** Secrets come from a file or stdin: the command line is seen by every process. */
async function readToken(file: string): Promise<string> {
  return file === '-' ? text(process.stdin) : readFile(file, 'utf8');
}
