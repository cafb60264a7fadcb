import { bytesText } from '../../support/progress.ts';
import type { FileChange } from '../difference.ts';
import type { Changes } from './changes.ts';
import { html, type Markup } from './html.ts';
import { pageName } from './words.ts';

/** More than anyone reads; what is left away is counted. */
const MOST_FILES = 50;

/** What changed since the release before, by component and by file. */
export function changesSection(changes: Changes | undefined): Markup {
  if (changes === undefined) {
    return html`<section aria-labelledby="changes"><h2 id="changes">What changed</h2><p>The catalog has no earlier release to compare it with.</p></section>
`;
  }
  const { before, architecture, versions, files, size } = changes;
  const growth = size.after - size.before;
  const counts = (['added', 'removed', 'changed'] as const)
    .map((change) => [change, files.filter((file) => file.change === change).length] as const)
    .filter(([, count]) => count > 0);
  return html`<section aria-labelledby="changes"><h2 id="changes">What changed since <a href="${pageName(before)}">${before.version}</a></h2>
<p class="quiet">Image for ${architecture}: ${bytesText(size.before)} to ${bytesText(size.after)} (${signed(growth)}). ${files.length === 0 ? 'No file differs.' : `Files: ${counts.map(([change, count]) => `${count} ${change}`).join(', ')}.`}</p>
${
  versions.length > 0 &&
  html`<ul class="versions">${versions.map(
    ({
      name,
      before: old,
      after,
    }) => html`<li><strong>${name}</strong> <span>${old ?? 'new'}</span> <span aria-hidden="true">→</span><span class="unseen">to</span> <span>${after ?? 'gone'}</span>
`,
  )}</ul>`
}
${
  files.length > 0 &&
  html`<details><summary>${files.length} ${files.length === 1 ? 'file differs' : 'files differ'}</summary>
<table class="paths"><thead><tr><th scope="col">File<th scope="col">Change<th scope="col">Bytes</tr></thead><tbody>
${files.slice(0, MOST_FILES).map(row)}</tbody></table>${files.length > MOST_FILES && html`<p class="quiet">and ${files.length - MOST_FILES} more; <code>sextant diff</code> lists all.</p>`}</details>`
}
</section>
`;
}

function row({ path, change, before, after }: FileChange): Markup {
  const tag = { added: ' good', removed: ' bad', changed: '' }[change];
  return html`<tr><td>${path}<td><span class="tag${tag}">${change}</span><td>${signed(after - before)}
`;
}

function signed(bytes: number): string {
  return `${bytes < 0 ? '−' : '+'}${bytesText(Math.abs(bytes))}`;
}
