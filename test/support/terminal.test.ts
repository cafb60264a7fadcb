import { expect, test } from 'vitest';
import { inStep } from '../../src/support/progress.ts';
import { secondsText, terminalProgress } from '../../src/support/terminal.ts';

function recorder(live: boolean) {
  const written: string[] = [];
  let time = 0;
  const progress = terminalProgress({
    output: { write: (text) => written.push(text), columns: 60 },
    live,
    colour: false,
    now: () => time,
    plainSeconds: 10,
  });
  return {
    progress,
    text: () => written.join(''),
    wait: (ms: number) => {
      time += ms;
    },
  };
}

test('piped progress has no control characters and says how each step ended', async () => {
  const { progress, text, wait } = recorder(false);
  await inStep(
    progress,
    'fetch edgevpn',
    async (step) => {
      step.update({ bytes: 1024, total: 4096 });
      wait(11_000);
      step.update({ bytes: 2048 });
    },
    () => '4.0 KiB',
  );
  expect(text()).toBe(
    '  fetch edgevpn  50%  2.0 KiB of 4.0 KiB  186 B/s  11.0 s\nok fetch edgevpn: 4.0 KiB 11.0 s\n',
  );
});

test('a failed step says why and the error goes on', async () => {
  const { progress, text } = recorder(false);
  await expect(
    inStep(progress, 'hook', async () => {
      throw new Error('it hung\nmore');
    }),
  ).rejects.toThrow('it hung');
  expect(text()).toBe('failed hook: it hung 0.0 s\n');
});

test('live progress erases what it drew before it says something that stays', () => {
  const { progress, text } = recorder(true);
  const step = progress.step('image');
  progress.say('a line');
  step.done();
  progress.stop();
  expect(text()).toBe('a line\n  image  0.0 s\n\u001b[1A\u001b[Jok image 0.0 s\n');
});

test('a step ends once', () => {
  const { progress, text } = recorder(false);
  const step = progress.step('x');
  step.done();
  step.fail('late');
  expect(text()).toBe('ok x 0.0 s\n');
});

test('times read as people say them', () => {
  expect(secondsText(1234)).toBe('1.2 s');
  expect(secondsText(75_000)).toBe('1 min 15 s');
});
