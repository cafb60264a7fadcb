import type { Architecture } from '../../support/architecture.ts';
import type { SourceContext } from '../types.ts';
import { debianTrust, openSuite, type Trust } from './suite.ts';

/** The newest version of a package in a suite; undefined where the suite has none. Fetches the suite's signed index. */
export async function newestPackage(
  name: string,
  suite: string,
  architecture: Architecture,
  context: SourceContext,
  trust: Trust = debianTrust,
): Promise<string | undefined> {
  const { index } = await openSuite(suite, architecture, context, trust);
  return index.named.get(name)?.[0]?.version;
}
