import type { Architecture } from '../../support/architecture.ts';
import type { Context } from '../../support/context.ts';
import { debianMirror, KEYRING, tool } from './programs.ts';

/** The Debian release that the lab takes programs and guests from. */
export const SUITE = 'trixie';

/**
 * Unpacks Debian packages with what they depend on into the new folder `root`, for this machine or another architecture. Nothing of
 * them is run, not even maintainer scripts, so that the architecture may be a foreign one.
 */
export async function extractPackages(
  root: string,
  packages: readonly string[],
  { signal }: Pick<Context, 'signal'>,
  architecture?: Architecture,
): Promise<void> {
  await tool(
    'mmdebstrap',
    [
      '--quiet',
      '--variant=extract',
      '--format=directory',
      `--keyring=${KEYRING}`,
      ...(architecture === undefined ? [] : [`--architectures=${architecture}`]),
      `--include=${packages.join(',')}`,
      '--aptopt=APT::Install-Recommends "false"',
      ...['doc', 'man', 'locale'].map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`),
      SUITE,
      root,
      `deb [signed-by=${KEYRING}] ${debianMirror()} ${SUITE} main`,
    ],
    signal,
  );
}
