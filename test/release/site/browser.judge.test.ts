import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AxeResults } from 'axe-core';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildSite } from '../../../src/release/site/build.ts';
import { sextant } from '../../sextant.ts';
import { type ExampleCatalog, exampleCatalog, NEWEST } from './example.ts';

// Debian's Chromium opens the pages as files, as a person would who was given the folder; axe-core looks for what keeps people out.
const CHROMIUM = process.env.SEXTANT_CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const SCREENSHOTS = 'test-results/site';
const WIDTHS = { phone: 390, desktop: 1280 } as const;
const PAGES = {
  index: 'index.html',
  release: `releases/provider-kairos-${NEWEST.replace('+', '_')}.html`,
  yanked: 'releases/provider-kairos-v1.36.2_k3s1.html',
  'stand-ins': 'releases/provider-kairos-v1.35.6_k3s1.html',
} as const;
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

const there = mkdtempSync(join(tmpdir(), 'sextant-browser-'));
const site = join(there, 'site');
const address = (path: string) => `file://${site}/${path}`;
let example: ExampleCatalog;
beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  example = await exampleCatalog(there);
  await buildSite({
    catalog: example.folder,
    output: site,
    url: 'https://example.org/k8s',
    context: example.context,
  });
});
afterAll(() => rmSync(there, { recursive: true, force: true }));

type Settings = Parameters<typeof chromium.launchPersistentContext>[1];

/** Runs `work` in a browser with a profile of its own; an error of a page's script fails it, and so does a request to another place. */
async function browsing(settings: Settings, work: (page: Page, context: BrowserContext) => Promise<void>) {
  const profile = mkdtempSync(join(there, 'profile-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    args: FLAGS,
    headless: true,
    ...settings,
  });
  const wrong: string[] = [];
  try {
    const page = context.pages()[0] ?? (await context.newPage());
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('request', (request) => {
      if (!/^(file|data|blob):/.test(request.url())) wrong.push(`asked for ${request.url()}`);
    });
    await work(page, context);
  } finally {
    await context.close();
  }
  expect(wrong).toEqual([]);
}

async function violations(page: Page): Promise<string[]> {
  await page.addScriptTag({ path: axe });
  const results = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
  );
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}

describe.each(Object.entries(WIDTHS))('on a %s', (name, width) => {
  test.each(['light', 'dark'] as const)(
    'in %s colours axe finds nothing, and nothing is wider than the screen',
    async (colorScheme) => {
      await browsing({ colorScheme, viewport: { width, height: 900 } }, async (page) => {
        for (const [title, path] of Object.entries(PAGES)) {
          await page.goto(address(path));
          await page.screenshot({
            path: `${SCREENSHOTS}/${title}-${name}-${colorScheme}.png`,
            fullPage: true,
          });
          expect(await page.evaluate('document.documentElement.scrollWidth'), path).toBe(width);
          // As it opens, and with everything that can be opened.
          expect(await violations(page), path).toEqual([]);
          await page.evaluate(
            "for (const details of document.querySelectorAll('details')) details.open = true",
          );
          expect(await violations(page), `${path}, opened`).toEqual([]);
          expect(await page.evaluate('document.documentElement.scrollWidth'), path).toBe(width);
        }
        await page.goto(address(PAGES.release));
        for (const kind of ['p2p', 'agent']) {
          await page.check(`input[value=${kind}]`);
          expect(await violations(page), kind).toEqual([]);
          await page.screenshot({ path: `${SCREENSHOTS}/form-${kind}-${name}-${colorScheme}.png` });
        }
        await page.goto(address(`${PAGES.index}#q=nothing+fits`));
        expect(await violations(page), 'nothing found').toEqual([]);
      });
    },
  );
});

test('releases are found by words and filters, which the address keeps; with the keyboard alone', async () => {
  await browsing({ viewport: { width: 1280, height: 900 } }, async (page) => {
    await page.goto(address(PAGES.index));
    const shown = () =>
      page.locator('.releases tbody tr:not(.group):visible td:first-child a').allTextContents();
    const all = await shown();
    expect(all).toHaveLength(6);
    // Skip link, catalog's name, cards, then the search.
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    while ((await page.evaluate('document.activeElement.name')) !== 'q') await page.keyboard.press('Tab');
    await page.keyboard.type('1.36 k3s');
    expect(await shown()).toEqual(['v1.36.3+k3s1', 'v1.36.2+k3s1']);
    expect(await page.getByRole('status').textContent()).toBe('2 releases');
    expect(page.url()).toContain('#q=1.36+k3s');
    for (let step = 0; step < 4; step += 1) await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    expect(await shown()).toEqual(['v1.36.3+k3s1']);
    await page.reload();
    expect(await shown()).toEqual(['v1.36.3+k3s1']);
    await page.getByLabel('Search').fill('no such thing');
    expect(await shown()).toEqual([]);
    await page.getByRole('button', { name: 'Show all releases' }).click();
    expect(await shown()).toEqual(all);
    await page.getByLabel('Distribution').selectOption('k0s');
    expect(await shown()).toEqual(['v1.36.1+k0s.0']);
    await page.getByRole('link', { name: 'v1.36.1+k0s.0' }).last().click();
    await page.getByRole('heading', { level: 1, name: 'Kubernetes v1.36.1+k0s.0' }).waitFor();
  });
});

describe('the form makes the very file that `sextant activation` makes', () => {
  const command = (...options: string[]) => {
    const { code, stdout, stderr } = sextant([
      'activation',
      join(there, NEWEST),
      '--url',
      `https://example.org/k8s/${NEWEST}`,
      ...options,
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  };

  test('single node, peer to peer, agent, strict trust: shown, copied and saved', async () => {
    await browsing({ acceptDownloads: true }, async (page, context) => {
      await context.grantPermissions(['clipboard-read', 'clipboard-write']);
      await page.goto(address(PAGES.release));
      const file = () => page.locator('#file').textContent();
      expect(await file()).toBe(command('--k3s'));
      await page.getByLabel('Strict, trusted boot').check();
      expect(await file()).toBe(command('--k3s', '--strict', '--certificate', 'firmware'));
      await page.getByLabel(/^Strict\s*only/).check();
      expect(await file()).toBe(command('--k3s', '--strict'));
      await page.getByLabel('Keep the pair that works').check();
      expect(await file()).toBe(command('--k3s', '--strict', '--adopt'));
      await page.getByLabel('Keep the pair that works').uncheck();
      await page.getByLabel('Peer to peer').check();
      expect(await page.getByRole('alert').textContent()).toBe('The network token is missing.');
      expect(await page.locator('#copy-file').isDisabled()).toBe(true);
      await page.getByLabel('Network token').fill('secret-token');
      await page.getByLabel('Role').selectOption('master');
      const token = join(there, 'token');
      writeFileSync(token, 'secret-token\n');
      expect(await file()).toBe(command('--p2p-token-file', token, '--p2p-role', 'master', '--strict'));
      await page.getByLabel('Agent').check();
      await page.getByLabel('Server', { exact: true }).fill('https://10.0.0.2:6443');
      await page.getByLabel('Token of the server').fill('K10abc::server:x');
      await page.getByLabel('Pinned root hash').check();
      await page.getByText('More', { exact: true }).click();
      await page.getByLabel('Arguments').fill('--node-label=a=b');
      await page.getByLabel('HTTPS proxy').fill('http://proxy.example.org:3128');
      const agent = command(
        '--k3s-agent',
        '--env',
        'K3S_URL=https://10.0.0.2:6443',
        'K3S_TOKEN=K10abc::server:x',
        '--arg=--node-label=a=b',
        '--https-proxy',
        'http://proxy.example.org:3128',
      );
      expect(await file()).toBe(agent);
      await page.locator('#copy-file').click();
      await expect.poll(() => page.locator('#said').textContent()).toBe('Copied.');
      const [saved] = await Promise.all([page.waitForEvent('download'), page.locator('#save-file').click()]);
      expect(saved.suggestedFilename()).toBe('90_sextant.yaml');
      expect(readFileSync(await saved.path(), 'utf8')).toBe(agent);
      await page.getByLabel('HTTPS proxy').fill('nonsense');
      expect(await page.getByRole('alert').textContent()).toContain('must be an http or https address');
      expect(await file()).toBe('');
    });
  });
});

test('without script everything there is to read can be read, and the file is pointed to', async () => {
  await browsing({ javaScriptEnabled: false }, async (page) => {
    await page.goto(address(PAGES.index));
    expect(await page.locator('.releases tbody tr:not(.group)').count()).toBe(6);
    expect(await page.locator('form').isVisible()).toBe(false);
    await page.goto(address(PAGES.release));
    expect(await page.locator('form').isVisible()).toBe(false);
    expect(await page.getByText('of the release is that file for a single node').isVisible()).toBe(true);
    await page.getByText('5 files, 126.5 MiB').click();
    const files = page.locator('details', { hasText: '5 files, 126.5 MiB' });
    expect(await files.getByText('/usr/bin/k3s-killall.sh').isVisible()).toBe(true);
  });
});
