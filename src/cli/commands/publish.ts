import { type Published, publishRelease } from '../../release/publish/index.ts';
import { FORMS, type Form } from '../../release/registry/plan.ts';
import type { Context } from '../../support/context.ts';
import { bytesText } from '../../support/progress.ts';
import { table } from '../print.ts';

interface PublishOptions {
  readonly form?: readonly Form[];
  readonly replace?: boolean;
  readonly dryRun?: boolean;
  readonly plainHttp?: boolean;
  readonly json?: boolean;
}

/** Publishes a release and reports what is where. */
export async function publish(
  target: string,
  folder: string,
  options: PublishOptions,
  context: Context,
): Promise<void> {
  const { form, json, ...rest } = options;
  const forms = form === undefined ? undefined : FORMS.filter((each) => form.includes(each));
  const published = await publishRelease(folder, target, context, {
    ...rest,
    ...(forms === undefined ? {} : { forms }),
  });
  if (json) {
    const { release } = published.contents;
    const { name, version, distribution, standin } = release;
    process.stdout.write(
      `${JSON.stringify({ release: { name, version, distribution, standin }, ...published.report })}\n`,
    );
    return;
  }
  process.stdout.write(`${page(published, options.dryRun === true)}\n`);
}

function page({ contents, report }: Published, dry: boolean): string {
  const { name, distribution, version } = contents.release;
  const what = `${name}: ${distribution} ${version}`;
  if (report.kind === 'folder') {
    return [
      report.changed
        ? `Published ${what} to ${report.folder}: ${report.copied.length} files copied, ${report.present.length} were there`
        : `Up to date: ${what} is in ${report.folder}, nothing was copied`,
      ...(report.others.length === 0
        ? []
        : [`  ${report.others.length} other files are there and were left alone`]),
    ].join('\n');
  }
  if (report.kind === 'github') {
    return report.changed
      ? `Published ${what} at ${report.address}: ${report.uploaded.length} files uploaded, ${report.present.length} were there`
      : `Up to date: ${what} is at ${report.address}, nothing was uploaded`;
  }
  const { repository, uploaded, present, tags, attached } = report;
  const first = dry
    ? `Would publish ${what} to ${repository}; nothing was sent`
    : report.changed
      ? `Published ${what} to ${repository}: ${uploaded.blobs} files uploaded (${bytesText(uploaded.bytes)}), ${present.blobs} were there`
      : `Up to date: ${what} is in ${repository}, nothing was uploaded`;
  const rows = [...tags]
    .reverse()
    .map(({ tag, what: kind, form, architecture, digest }) => [
      `  ${tag}`,
      digest,
      kind === 'release' ? 'files of the release' : `${form}, ${architecture ?? 'all architectures'}`,
    ]);
  const beside = attached.map(({ name: file, digest }) => [`  ${file}`, digest]);
  const [main] = tags.slice(-1);
  const tar = tags.find(({ form, what: kind }) => form === 'tar' && kind === 'index');
  return [
    first,
    '',
    'Tags:',
    table(rows),
    '',
    'Attached:',
    table(beside),
    '',
    'On a node:',
    ...(main?.form === 'raw'
      ? [`  kairos-agent sysext install oci:${repository}:${main.tag}   (Kairos 4.2 and newer)`]
      : []),
    ...(tar === undefined
      ? []
      : [`  kairos-agent sysext install oci:${repository}:${tar.tag}   (every Kairos)`]),
  ].join('\n');
}
