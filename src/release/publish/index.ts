import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { tagOfVersion } from '../../support/registry/blob-address.ts';
import { FORMS, type Form } from '../registry/plan.ts';
import { plannedReport, publishToRegistry, type RegistryReport } from '../registry/publish.ts';
import { type Contents, releaseContents } from './contents.ts';
import { type FolderReport, publishToFolder } from './folder.ts';
import { type GithubReport, publishToGithub } from './github.ts';
import { parseTarget } from './target.ts';

export interface PublishOptions {
  /** Put this release in the place of a different one of the same version. */
  readonly replace?: boolean;
  /** Registries only: say every tag and digest, ask and send nothing. */
  readonly dryRun?: boolean;
  readonly forms?: readonly Form[];
  readonly plainHttp?: boolean;
}

export type PublishReport =
  | ({ readonly kind: 'registry' } & RegistryReport)
  | ({ readonly kind: 'folder' } & FolderReport)
  | ({ readonly kind: 'github' } & GithubReport);

export interface Published {
  readonly contents: Contents;
  readonly report: PublishReport;
}

/** Publishes a built release to where a target says; what is there already is not sent again. */
export async function publishRelease(
  folder: string,
  targetText: string,
  context: Context,
  options: PublishOptions = {},
): Promise<Published> {
  const target = parseTarget(targetText);
  const forRegistries = (['dryRun', 'forms', 'plainHttp'] as const).find((name) => options[name]);
  if (target.kind !== 'registry' && forRegistries !== undefined) {
    const flag = { dryRun: '--dry-run', forms: '--form', plainHttp: '--plain-http' }[forRegistries];
    throw new SextantError('usage', `${flag} is for registries, ${targetText} is none`, {
      hint: `leave ${flag} away`,
    });
  }
  const tar = target.kind === 'registry' && (options.forms ?? FORMS).includes('tar');
  const contents = await releaseContents(folder, context, { tar });
  const { progress } = context;
  if (contents.release.standin) progress.say('warning: this release holds stand-ins: for tests only');
  for (const name of contents.others) progress.say(`not published, SHA256SUMS does not list it: ${name}`);
  if (target.kind === 'folder') {
    return {
      contents,
      report: { kind: 'folder', ...(await publishToFolder(contents, target.path, context, options)) },
    };
  }
  if (target.kind === 'github') {
    return {
      contents,
      report: { kind: 'github', ...(await publishToGithub(contents, target, context, options)) },
    };
  }
  const tag = target.tag ?? tagOfVersion(contents.release.version);
  const report = options.dryRun
    ? plannedReport(contents, target.reference, { tag, ...(options.forms ? { forms: options.forms } : {}) })
    : await publishToRegistry(contents, target.reference, context, { ...options, tag });
  return { contents, report: { kind: 'registry', ...report } };
}
