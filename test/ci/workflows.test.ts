import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { ACTION, GITHUB, GITLAB, steps, uses, workflow } from './documents.ts';

test('nothing of another repository is used but sextant itself, by a full commit', () => {
  const found = [...GITHUB, ACTION].flatMap(uses);
  expect(found.length).toBeGreaterThan(1);
  for (const used of found)
    expect(used).toMatch(/^example\/sextant(\/\.github\/workflows\/pipeline\.yml)?@[0-9a-f]{40}$/);
});

test('no expression is pasted into a shell: values come by the environment', () => {
  for (const file of [...GITHUB, ACTION]) {
    for (const { name, run = '' } of steps(file)) expect(run, `${file}: ${name}`).not.toContain('${{');
  }
});

test('jobs begin without any permission, and name what they need', () => {
  for (const file of GITHUB) {
    const document = parse(readFileSync(file, 'utf8')) as {
      permissions: unknown;
      jobs: Record<string, { permissions?: unknown }>;
    };
    expect(document.permissions, file).toEqual({});
    for (const job of Object.values(document.jobs)) expect(job.permissions, file).toBeDefined();
  }
});

test('every input of the reusable workflow and the action is used, every one that is used is declared', () => {
  for (const file of ['.github/workflows/pipeline.yml', ACTION]) {
    const text = readFileSync(file, 'utf8');
    const document = parse(text) as {
      on?: { workflow_call: { inputs: Record<string, unknown> } };
      inputs?: Record<string, unknown>;
    };
    const declared = Object.keys(document.on?.workflow_call.inputs ?? document.inputs ?? {});
    const used = [...text.matchAll(/inputs\.([a-z-]+)/g)].map(([, name]) => name ?? '');
    expect([...new Set(used)].sort(), file).toEqual([...declared].sort());
  }
});

test('a variable that a workflow sets is one that the script beside it reads', () => {
  const scripts = (name: string) =>
    readFileSync(`actions/${name}`, 'utf8') +
    readFileSync('actions/common.sh', 'utf8') +
    readFileSync('actions/propose-github.sh', 'utf8');
  for (const file of ['.github/workflows/pipeline.yml', ACTION]) {
    for (const { run = '', env = {} } of steps(file)) {
      const [, name] = /actions\/([\w-]+\.sh)/.exec(run) ?? [];
      if (name === undefined) continue;
      for (const variable of Object.keys(env)) {
        if (variable === 'GITHUB_TOKEN' || variable === 'GH_TOKEN') continue; // Read by sextant and by gh.
        expect(scripts(name), `${file}: ${variable}`).toMatch(new RegExp(`\\b${variable}\\b`));
      }
    }
  }
});

test('the caller gives the reusable workflow what it asks for, and GitLab runs the same scripts', () => {
  const called = parse(readFileSync('.github/workflows/pipeline.yml', 'utf8')).on.workflow_call;
  const caller = parse(readFileSync('examples/ci/github.yml', 'utf8')).jobs.pipeline;
  const required = Object.entries(called.inputs as Record<string, { required?: boolean }>).flatMap(
    ([name, { required: needed }]) => (needed ? [name] : []),
  );
  expect(Object.keys(caller.with)).toEqual(expect.arrayContaining(required));
  for (const name of Object.keys(caller.with)) expect(called.inputs).toHaveProperty([name]);
  for (const name of Object.keys(caller.secrets)) expect(called.secrets).toHaveProperty([name]);
  // Both name the one commit.
  expect(caller.uses.split('@')[1]).toBe(caller.with.sextant.split('@')[1]);
  const gitlab = readFileSync(GITLAB, 'utf8');
  for (const name of ['setup.sh', 'watch.sh', 'release.sh', 'pages.sh'])
    expect(gitlab).toContain(`/actions/${name}`);
  expect(Object.keys(workflow('.github/workflows/pipeline.yml').jobs ?? {})).toEqual(['watch', 'release']);
});
