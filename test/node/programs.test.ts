import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { doctor } from '../../src/node/cli/doctor.ts';
import { sha256OfFile, sha256OfText } from '../../src/node/digest.ts';
import { DEFAULT_ENVIRONMENT, type FileFacts, type Host } from '../../src/node/host/host.ts';
import { journalDatagram, logEvent } from '../../src/node/journal.ts';
import { findPrograms, PROGRAMS, runProgram } from '../../src/node/programs.ts';
import { nodeHost } from './host/node-host.ts';

const PROGRAM_FILE: FileFacts = { kind: 'file', size: 1, mode: 0o755, modified: 0, inode: 1, device: 1 };

/** A node that has exactly these files, all of them programs. */
function nodeWith(paths: readonly string[], changes: Partial<Host> = {}): Host {
  return { ...nodeHost(), stat: (path) => (paths.includes(path) ? PROGRAM_FILE : undefined), ...changes };
}

const ALL = Object.keys(PROGRAMS).map((name) => `/usr/sbin/${name}`);
const caught = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('the programs of a node', () => {
  test('are found in the fixed search path, also by their other name', () => {
    const found = findPrograms(nodeWith(['/usr/bin/curl', '/sbin/grub2-editenv', '/home/x/openssl']));
    expect(Object.fromEntries(found.map(({ name, path }) => [name, path]))).toMatchObject({
      curl: '/usr/bin/curl',
      'grub-editenv': '/sbin/grub2-editenv',
      openssl: undefined,
    });
  });

  test('a file that cannot be run and a folder are no program', () => {
    for (const facts of [
      { ...PROGRAM_FILE, mode: 0o644 },
      { ...PROGRAM_FILE, kind: 'folder' as const },
    ]) {
      expect(findPrograms(nodeWith([], { stat: () => facts })).every(({ path }) => path === undefined)).toBe(
        true,
      );
    }
  });

  test.for([
    ['all are there', ALL, 0],
    ['one that is not required is missing', ALL.filter((path) => !path.endsWith('/openssl')), 0],
    ['a required one is missing', ALL.filter((path) => !path.endsWith('/curl')), 5],
  ] as const)('doctor, when %s', ([_, paths, expected]) => {
    let out = '';
    const host = nodeWith(paths, {
      out: (text) => {
        out += text;
      },
    });
    expect(doctor.run({ host, words: [], options: new Map() })).toBe(expected);
    expect(out.trim().split('\n')).toHaveLength(ALL.length);
    for (const line of out.trim().split('\n')) {
      const name = line.split(/\s+/)[1] ?? '';
      const state = paths.includes(`/usr/sbin/${name}`) ? 'ok' : name === 'curl' ? 'missing' : 'limited';
      expect(line.split(/\s+/)[0]).toBe(state);
    }
    const text = out;
    out = '';
    expect(doctor.run({ host, words: [], options: new Map([['json', '']]) })).toBe(expected);
    const facts = JSON.parse(out) as { ok: boolean; programs: { name: string; path: string | null }[] };
    expect(facts.ok).toBe(expected === 0);
    for (const { name, path } of facts.programs) expect(text).toContain(path ?? name);
  });
});

describe('running one', () => {
  const failing = (script: string, options = {}) => {
    const host = nodeHost();
    const run: Host['run'] = (_argv, given) => host.run(['sh', '-c', script], given);
    return caught(() => runProgram(nodeWith(ALL, { run }), 'systemctl', ["it's", 'now'], options));
  };

  test('a program that is missing is named with what needs it', () => {
    expect(
      caught(() => runProgram({ ...nodeHost(), stat: () => undefined }, 'kairos-agent', [])),
    ).toMatchObject({
      code: 'tool',
      message: 'kairos-agent: program not found on this node',
      hint: 'sextant-node needs it: chooses the slot of the next boot',
    });
  });

  test('a failure says how it ended, its first line, and the command to paste', () => {
    expect(failing('echo no; echo "bad: thing" >&2; echo more >&2; exit 4')).toMatchObject({
      code: 'tool',
      message: 'systemctl failed with exit code 4: bad: thing',
      hint: "to see it yourself: /usr/sbin/systemctl 'it'\\''s' now",
    });
  });

  test.for([
    ['kill -9 $$', {}, 'systemctl was ended by signal 9'],
    ['sleep 9', { timeoutSeconds: 0.2 }, 'systemctl took longer than 0.2 s and was ended'],
    ['yes', { outputLimit: 10 }, 'systemctl wrote more than it may and was ended: y'],
  ] as const)('%s', ([script, options, message]) => {
    expect(failing(script, options)).toMatchObject({ code: 'tool', message });
  });

  test('codes that mean something are results', () => {
    const run: Host['run'] = (_argv, options) => nodeHost().run(['sh', '-c', 'exit 3'], options);
    expect(runProgram(nodeWith(ALL, { run }), 'systemctl', [], { okCodes: [0, 3] }).code).toBe(3);
  });
});

describe('digests', () => {
  test('of a file with any name, and of a text', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sextant-digest-'));
    try {
      const path = join(folder, '-a\\b\nü');
      writeFileSync(path, 'content');
      const expected = createHash('sha256').update('content').digest('hex');
      expect(sha256OfFile(nodeHost(), path)).toBe(expected);
      expect(sha256OfText(nodeHost(), 'content')).toBe(expected);
      expect(caught(() => sha256OfFile(nodeHost(), join(folder, 'none')))).toMatchObject({ code: 'tool' });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('the journal', () => {
  const EVENT = {
    id: '0123456789abcdef0123456789abcdef',
    level: 'warning',
    message: 'the pair 3 is bad',
    fields: { GENERATION: 3, REASON: 'two\nlines' },
  } as const;

  test('gets an entry in its own format, values of several lines by length', () => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(9n);
    expect(Buffer.from(journalDatagram(nodeHost(), EVENT)).toString('latin1')).toBe(
      `MESSAGE=the pair 3 is bad\nMESSAGE_ID=${EVENT.id}\nPRIORITY=4\nSYSLOG_IDENTIFIER=sextant-node\nSEXTANT_GENERATION=3\nSEXTANT_REASON\n${length.toString('latin1')}two\nlines\n`,
    );
  });

  test('where there is none, the message goes to standard error', () => {
    let err = '';
    const host = nodeHost({
      err: (text) => {
        err += text;
      },
    });
    logEvent(host, EVENT, '/nonexistent/socket');
    expect(err).toBe('sextant-node: the pair 3 is bad\n');
  });

  test('a field name that journald would drop is a defect', () => {
    expect(() => journalDatagram(nodeHost(), { ...EVENT, fields: { reason: 'x' } })).toThrow('reason');
  });
});

test('programs do not get the search path of whoever started this', () => {
  expect(DEFAULT_ENVIRONMENT.PATH).not.toContain(process.env.HOME ?? '/root');
});
