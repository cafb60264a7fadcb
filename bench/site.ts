// How long the hub page's site takes for a catalog of 500 releases, how large it is, and what its heaviest page weighs with all it loads. The
// catalog is generated: real extensions' manifests are as large as the files listed here. SEXTANT_BENCH_RELEASES=N for another number.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contentsFile, contentsPath, type ImageContents } from '../src/release/catalog/contents.ts';
import { kairosText } from '../src/release/catalog/kairos.ts';
import {
  CATALOG_FILE,
  type Catalog,
  type CatalogRelease,
  KAIROS_FILE,
} from '../src/release/catalog/types.ts';
import { buildSite } from '../src/release/site/build.ts';
import { sha256 } from '../src/support/files.ts';
import { silent } from '../src/support/progress.ts';

const COUNT = Number(process.env.SEXTANT_BENCH_RELEASES ?? 500);
const RUNS = 5;
const FILES = 60;

const there = mkdtempSync(join(tmpdir(), 'sextant-bench-site-'));
try {
  const folder = join(there, 'catalog');
  mkdirSync(join(folder, 'contents'), { recursive: true });
  writeCatalog(folder);
  const output = join(there, 'site');
  const seconds: number[] = [];
  for (let run = -1; run < RUNS; run += 1) {
    const began = process.hrtime.bigint();
    await buildSite({
      catalog: folder,
      output,
      url: 'https://example.org/k8s',
      context: { cache: there, progress: silent, signal: new AbortController().signal },
    });
    if (run >= 0) seconds.push(Number(process.hrtime.bigint() - began) / 1e9);
  }
  const median = seconds.sort((a, b) => a - b)[seconds.length >> 1] ?? Number.NaN;
  const size = (name: string) => statSync(join(output, name)).size;
  const [css, index, release] = ['assets/site.css', 'assets/index.js', 'assets/release.js'].map(size);
  const heaviest = Math.max(...readdirSync(join(output, 'releases')).map((name) => size(`releases/${name}`)));
  const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(0)} kB`;
  console.log(
    `${COUNT} releases, two architectures, ${FILES} files each: ${median.toFixed(2)} s (median of ${RUNS}), memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`,
  );
  console.log(
    `page of all releases: ${kilobytes(size('index.html') + (css ?? 0) + (index ?? 0))} with style and script; heaviest release page: ${kilobytes(heaviest + (css ?? 0) + (release ?? 0))}`,
  );
  console.log(`catalog: ${kilobytes(readFileSync(join(folder, CATALOG_FILE)).length)}`);
} finally {
  rmSync(there, { recursive: true, force: true });
}

function writeCatalog(folder: string): void {
  const releases: CatalogRelease[] = [];
  for (let index = 0; index < COUNT; index += 1) {
    const distribution = index % 3 === 2 ? 'k0s' : 'k3s';
    const version = `v1.${20 + Math.floor(index / 30)}.${index % 30}+${distribution === 'k3s' ? 'k3s1' : 'k0s.0'}`;
    releases.push(release(folder, version, distribution, index));
  }
  releases.reverse();
  const catalog: Catalog = { schemaVersion: 1, title: 'Bench', serial: COUNT, certificates: {}, releases };
  writeFileSync(join(folder, CATALOG_FILE), JSON.stringify(catalog));
  writeFileSync(join(folder, KAIROS_FILE), kairosText(catalog));
}

function release(folder: string, version: string, distribution: string, index: number): CatalogRelease {
  const minor = version.slice(1, version.indexOf('.', 3));
  return {
    name: 'provider-kairos',
    version,
    distribution,
    standin: false,
    address: `https://example.org/k8s/${version}`,
    description: sha256(version),
    date: '2026-11-27',
    since: index + 1,
    kubernetes: { version: version.replace(/\+.*/, ''), follows: [minor], apiServers: [minor] },
    requires: { systemd: 255, kairos: 'v3.5.0' },
    images: (['amd64', 'arm64'] as const).map((architecture) => {
      const { name, text } = contentsFile(contents(version, architecture, index));
      writeFileSync(contentsPath(folder, name), text);
      return {
        architecture,
        file: `provider-kairos-${version}-${architecture}.sysext.raw`,
        size: 120_000_000 + index * 10_000,
        sha256: sha256(`${version} ${architecture}`),
        rootHash: sha256(`root ${version} ${architecture}`),
        oci: `registry.example.org/k8s/provider-kairos@sha256:${sha256(version)}`,
        contents: name,
      };
    }),
    trust: [],
    components: ['provider-kairos', 'edgevpn', distribution].map((name) => ({
      name,
      version: name === distribution ? version : `v2.${Math.floor(index / 20)}.0`,
      type: 'github-release' as const,
      standin: false,
    })),
    activation: 'activation.yaml',
    ...(index % 50 === 7
      ? { yanked: { why: 'loses IPv6 addresses', date: '2026-11-27', since: index + 1 } }
      : {}),
  };
}

function contents(version: string, architecture: string, index: number): ImageContents {
  return {
    version,
    components: [
      { name: 'k3s', version },
      { name: 'edgevpn', version: `v2.${Math.floor(index / 20)}.0` },
    ],
    entries: Array.from({ length: FILES }, (_, number) => ({
      path: `/usr/lib/systemd/system/some-unit-of-kubernetes-${number}.service`,
      kind: 'file',
      mode: 0o644,
      size: 1000 * number + (number % 7 === index % 7 ? index : 0),
      sha256: sha256(`${number} ${architecture} ${number % 7 === index % 7 ? index : ''}`),
      component: number % 2 === 0 ? 'hook' : 'edgevpn',
      disposition: 'delivered',
    })),
  };
}
