import { expect, test } from 'vitest';
import { watchedMarkdown } from '../../../src/release/upstream/markdown.ts';
import type { Watched } from '../../../src/release/upstream/types.ts';

const watched = (change: Partial<Watched> = {}): Watched => ({
  id: 'k3s-1.36',
  lockFile: 'sextant.k3s-1.36.lock.json',
  versions: ['v1.36.3+k3s1'],
  news: [],
  current: [],
  silent: [],
  ...change,
});

test('what is newer is a table, what the lock took a sentence, what is not allowed a list', () => {
  const text = watchedMarkdown([
    watched({
      news: [
        {
          kind: 'distribution',
          name: 'k3s',
          locked: 'v1.36.3+k3s1',
          upstream: 'v1.36.4+k3s1',
          allowed: true,
          link: 'https://github.com/k3s-io/k3s/releases/tag/v1.36.4%2Bk3s1',
        },
        { kind: 'component', name: 'edgevpn', locked: 'v0.35.3', upstream: 'v0.36.0', allowed: false },
      ],
      written: {
        versions: [{ name: 'k3s', before: 'v1.36.3+k3s1', after: 'v1.36.4+k3s1' }],
        added: { files: 2, bytes: 2048 },
        removed: { files: 2, bytes: 1024 },
      },
    }),
    watched({ id: 'k0s-stable' }),
  ]);
  expect(text).toBe(`### k3s-1.36

| what | locked | upstream |
|---|---|---|
| \`k3s\` | \`v1.36.3+k3s1\` | [\`v1.36.4+k3s1\`](https://github.com/k3s-io/k3s/releases/tag/v1.36.4%2Bk3s1) |

\`sextant.k3s-1.36.lock.json\`: 2 files pinned anew (2.0 KiB), 2 no longer (1.0 KiB); \`k3s\` \`v1.36.3+k3s1\` → \`v1.36.4+k3s1\`.

Newer, but the recipe does not allow it:
- \`edgevpn\` \`v0.35.3\` → \`v0.36.0\`

Nothing is newer for \`k0s-stable\`.
`);
});

test('a tag that looks like markup stays text', () => {
  const text = watchedMarkdown([
    watched({
      news: [
        {
          kind: 'component',
          name: 'tool',
          locked: 'v1',
          upstream: 'v2`|<img src=x>\n@everyone',
          allowed: true,
          link: 'https://github.com/a/b/releases/tag/v2)<img>',
        },
      ],
    }),
  ]);
  expect(text).toContain('| `v2  <img src=x> @everyone` |\n');
  expect(text).not.toContain('](');
});
