import { bytesText, type Progress, type Step } from './progress.ts';

interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

interface Running {
  readonly name: string;
  readonly began: number;
  bytes: number;
  total: number | undefined;
  note: string;
  /** Bytes and time (ms) of the last two rate samples. */
  sample: { readonly bytes: number; readonly at: number; readonly rate: number };
  saidAt: number;
}

export interface ProgressOptions {
  readonly output: Output;
  /** Redraw in place and colour; else one line when something begins, at most one each `plainSeconds`, and one when it ends. */
  readonly live: boolean;
  readonly colour: boolean;
  /** Milliseconds; injectable so that tests do not wait. */
  readonly now?: () => number;
  readonly plainSeconds?: number;
}

const REDRAW_MS = 100;
const RATE_MS = 1000;

/** Progress on a terminal (one line for each running step, redrawn in place) or, piped, as plain lines without control characters. */
export function terminalProgress(options: ProgressOptions): Progress & { stop(): void } {
  const { output, live, colour, now = Date.now, plainSeconds = 10 } = options;
  const running = new Set<Running>();
  let drawn = 0;
  let timer: NodeJS.Timeout | undefined;

  const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const erase = () => {
    if (drawn > 0) output.write(`\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  const draw = () => {
    const width = Math.max(20, (output.columns ?? 80) - 1);
    const lines = [...running].map((step) => `  ${describe(step, now())}`.slice(0, width));
    if (lines.length > 0) output.write(`${lines.join('\n')}\n`);
    drawn = lines.length;
  };
  const say = (line: string) => {
    if (live) erase();
    output.write(`${line}\n`);
    if (live) draw();
  };
  const tick = () => {
    if (!live) return;
    timer ??= setInterval(() => {
      erase();
      draw();
    }, REDRAW_MS);
    timer.unref();
  };

  function step(name: string): Step {
    const began = now();
    const state: Running = {
      name,
      began,
      bytes: 0,
      total: undefined,
      note: '',
      sample: { bytes: 0, at: began, rate: 0 },
      saidAt: began,
    };
    running.add(state);
    tick();
    const end = (mark: string, text: string) => {
      if (!running.delete(state)) return;
      say(`${mark} ${text}`);
      if (running.size === 0 && timer) {
        clearInterval(timer);
        timer = undefined;
      }
    };
    const seconds = () => paint(2, secondsText(now() - began));
    return {
      update({ bytes, total, note }) {
        const at = now();
        if (bytes !== undefined) state.bytes = bytes;
        if (total !== undefined) state.total = total;
        if (note !== undefined) state.note = note;
        if (at - state.sample.at >= RATE_MS) {
          const rate = ((state.bytes - state.sample.bytes) * 1000) / (at - state.sample.at);
          state.sample = { bytes: state.bytes, at, rate: Math.max(0, rate) };
        }
        if (!live && at - state.saidAt >= plainSeconds * 1000 && running.has(state)) {
          state.saidAt = at;
          output.write(`  ${describe(state, at)}\n`);
        }
      },
      done: (outcome) => end(paint(32, 'ok'), `${name}${outcome ? `: ${outcome}` : ''} ${seconds()}`),
      fail: (reason) => end(paint(31, 'failed'), `${name}${reason ? `: ${reason}` : ''} ${seconds()}`),
    };
  }

  return {
    step,
    say,
    stop() {
      if (live) erase();
      clearInterval(timer);
      timer = undefined;
      running.clear();
    },
  };
}

function describe(step: Running, at: number): string {
  const parts = [step.name];
  if (step.total !== undefined && step.total > 0) {
    parts.push(`${Math.min(100, Math.floor((step.bytes * 100) / step.total))}%`);
  }
  if (step.bytes > 0) {
    parts.push(
      step.total === undefined
        ? bytesText(step.bytes)
        : `${bytesText(step.bytes)} of ${bytesText(step.total)}`,
    );
    if (step.sample.rate > 0) parts.push(`${bytesText(Math.round(step.sample.rate))}/s`);
  }
  if (step.note !== '') parts.push(step.note);
  parts.push(secondsText(at - step.began));
  return parts.join('  ');
}

/** 1234 ms -> "1.2 s", 75000 ms -> "1 min 15 s". */
export function secondsText(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
