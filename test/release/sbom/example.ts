import { recipeSchema } from '../../../src/recipe/schema.ts';
import type { SbomRequest } from '../../../src/release/sbom/inventory.ts';

const blob = (url: string, digit: string) => ({ url, size: 1, sha256: digit.repeat(64) });

/** A small extension: edgevpn built from its Go module, runc from Debian, what a hook laid down. */
export const EXAMPLE: SbomRequest = {
  recipe: recipeSchema.parse({
    distribution: { name: 'k3s', version: 'v1.36.3+k3s1', standin: true },
    provider: { component: 'edgevpn' },
    components: [
      {
        name: 'edgevpn',
        license: 'Apache-2.0',
        source: { type: 'go-module', module: 'a.b/edgevpn', version: 'v0.30.2', binary: 'edgevpn' },
      },
      { name: 'runc', source: { type: 'debian', package: 'runc' } },
    ],
  }),
  version: 'v1.36.3+k3s1',
  architecture: 'amd64',
  locked: {
    components: [
      {
        name: 'edgevpn',
        type: 'go-module',
        version: 'v0.30.2',
        inputs: [
          blob('go:a.b/edgevpn@v0.30.2.zip', '1'),
          blob('go:a.b/edgevpn@v0.30.2.mod', '2'),
          blob('go:c.d/X@v1.0.0+incompatible.zip', '3'),
          blob('go:e.f/only-for-tests@v1.0.0.zip', 'a'),
        ],
      },
      {
        name: 'runc',
        type: 'debian',
        version: '1:1.1.15+ds1-2',
        inputs: [blob('http://archive.test/pool/main/r/runc/runc_1.1.15+ds1-2_amd64.deb', '4')],
      },
    ],
    hookDownloads: [blob('https://get.k3s.io/', '5')],
  },
  files: [
    {
      path: '/usr/bin/edgevpn',
      size: 1,
      sha256: '6'.repeat(64),
      sha1: '9'.repeat(40),
      component: 'edgevpn',
      go: {
        goVersion: 'go1.26.8',
        path: 'a.b/edgevpn',
        main: { path: 'a.b/edgevpn', version: '(devel)' },
        modules: [
          { path: 'c.d/X', version: 'v1.0.0+incompatible', sum: 'h1:x=' },
          { path: 'g.h/local', version: '(devel)' },
        ],
      },
    },
    { path: '/usr/bin/runc', size: 1, sha256: '7'.repeat(64), sha1: '0'.repeat(40), component: 'runc' },
  ],
  image: { file: 'e.sysext.raw', sha256: '8'.repeat(64) },
  timestamp: 315532800,
};
