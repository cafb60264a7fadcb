import { describe, expect, it } from 'vitest';
import { endsByItself, execProgram, parseUnit, unitFileName, values } from '../../src/tree/units.ts';

describe('a unit file', () => {
  it('is read with comments, continued lines and cleared lists', () => {
    const unit = parseUnit(
      '# c\n[Unit]\nDescription=a \\\n# in between\n  b\n; c\n[Service]\nExecStart=/a\nExecStart=\nExecStart=/b \\\n  server \\\n\n',
    );
    expect(unit.problems).toEqual([]);
    expect(values(unit, 'Unit', 'Description')).toEqual(['a b']);
    expect(values(unit, 'Service', 'ExecStart')).toEqual(['/b server']);
  });

  it('has its mistakes named with their lines', () => {
    expect(parseUnit('A=1\n[Unit]\nnothing\nB=2\\').problems).toEqual([
      'line 1: an assignment before the first section',
      'line 3: neither a section nor an assignment',
      'line 4: the last line ends in a backslash',
    ]);
  });

  it.each([
    ['Type=oneshot', true],
    ['Type=oneshot\nRemainAfterExit=yes', false],
    ['Type=simple', false],
    ['ExecStart=/x', false],
  ])('with %s ends by itself: %s', (text, expected) => {
    expect(endsByItself(parseUnit(`[Service]\n${text}`))).toBe(expected);
  });

  it.each([
    ['-/sbin/modprobe overlay', { program: '/sbin/modprobe', optional: true }],
    ['!!@/bin/x arg0', { program: '/bin/x', optional: false }],
    ['"/usr/bin/a" b', { program: '/usr/bin/a', optional: false }],
    ['${X} b', undefined],
    ['', undefined],
  ])('runs %s', (value, expected) => {
    expect(execProgram(value)).toEqual(expected);
  });

  it('is named by the template for an instance', () => {
    expect(unitFileName('edgevpn@kairos.service')).toBe('edgevpn@.service');
    expect(unitFileName('edgevpn@.service')).toBe('edgevpn@.service');
    expect(unitFileName('k3s.service')).toBe('k3s.service');
  });
});
