import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Input, plan } from '../../src/tree/plan.ts';
import { HIERARCHIES } from '../../src/tree/rules.ts';
import { printable } from '../../src/tree/walk.ts';

const roots = [
  '/etc',
  '/etc/systemd/system',
  '/var/lib',
  '/tmp',
  '/opt',
  '/home',
  '/usr',
  '/boot',
  '',
  ...HIERARCHIES,
];
const name = fc.oneof(
  fc.constantFrom(
    'k3s.service',
    'multi-user.target.wants',
    'a.service.d',
    'x.conf',
    'passwd',
    'sextant',
    '..x',
    'a b',
  ),
  fc
    .string({ minLength: 1, maxLength: 8, unit: 'binary' })
    .map((text) => text.replaceAll(/[/\0]|^\.\.?$/g, '_')),
);
const path = fc
  .tuple(fc.constantFrom(...roots), fc.array(name, { minLength: 1, maxLength: 4 }))
  .map(([root, names]) => `${root}/${names.join('/')}`);
const input: fc.Arbitrary<Input> = fc
  .record({
    path,
    kind: fc.constantFrom('file', 'folder', 'link', 'fifo', 'socket', 'device'),
    mode: fc.nat(0o7777),
    size: fc.nat(100),
  })
  .map((node) => ({
    ...node,
    kind: node.kind as Input['kind'],
    source: '/nowhere',
    inode: node.path,
    component: 'hook',
    group: 0,
    ...(node.kind === 'link' ? { target: '/usr/bin/x' } : {}),
    ...(node.kind === 'folder' ? { empty: true } : {}),
  }));

describe('the plan of any upper layer', () => {
  it('gives each path exactly one outcome', () => {
    fc.assert(
      fc.property(fc.uniqueArray(input, { selector: (node) => node.path, maxLength: 30 }), (inputs) => {
        const { planned, enablements, dropped, problems } = plan(inputs, 'provider-kairos');
        const outcomes = [
          ...planned.map((entry) => entry.from ?? entry.path),
          ...enablements.map((entry) => entry.from),
          ...dropped.map((entry) => entry.path),
          ...problems.map((problem) => problem.path),
        ];
        expect(outcomes.map(printable).sort()).toEqual(
          inputs.map((node) => expectedName(node.path, outcomes)).sort(),
        );
      }),
    );
  });

  it('carries nothing outside the merged hierarchies and nothing with special rights', () => {
    fc.assert(
      fc.property(fc.array(input, { maxLength: 30 }), (inputs) => {
        for (const entry of plan(inputs, 'provider-kairos').planned) {
          expect(HIERARCHIES.some((hierarchy) => entry.path.startsWith(`${hierarchy}/`))).toBe(true);
          expect(entry.mode & 0o7000).toBe(0);
          if (entry.kind === 'file') expect(entry.mode & 0o002).toBe(0);
        }
      }),
    );
  });
});

/** Problems and dropped paths are shown printable, the others as they are. */
function expectedName(path: string, outcomes: readonly string[]): string {
  return printable(outcomes.includes(path) ? path : printable(path));
}
