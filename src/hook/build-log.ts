import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { StringDecoder } from 'node:string_decoder';

/** The log of one run of a hook: lines of `[source] text`, written as they come, so that they are there whatever happens. */
export interface BuildLog {
  line(source: string, text: string): void;
  /** A piece of a program's output; cut into lines here, an unfinished line waits for the rest. */
  output(source: string, piece: Uint8Array): void;
  /** The last lines, as they are in the file. */
  end(lines: number): string;
  close(): void;
}

/** What a runaway hook may fill the disk with, bytes. */
const LARGEST_LOG = 64 * 1024 * 1024;
const LONGEST_LINE = 16 * 1024;
const KEPT_LINES = 200;

/** Opens a log; an old one at that path is replaced. */
export function openBuildLog(path: string): BuildLog {
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'w', 0o644);
  const last: string[] = [];
  const partial = new Map<string, { decoder: StringDecoder; text: string }>();
  let size = 0;
  let open = true;
  const write = (source: string, text: string) => {
    if (!open || size > LARGEST_LOG) return;
    const entry = `[${source}] ${plain(text)}`;
    size += Buffer.byteLength(entry) + 1;
    const kept =
      size > LARGEST_LOG ? `[sextant] the log is full at ${LARGEST_LOG} bytes, the rest is left out` : entry;
    try {
      writeSync(file, `${kept}\n`);
    } catch {
      // A full disk: what the error shows is kept below, and the hook's own failure is the one to report.
    }
    last.push(kept);
    if (last.length > KEPT_LINES) last.shift();
  };
  const flush = () => {
    for (const [source, { text }] of partial) if (text !== '') write(source, text);
    partial.clear();
  };
  return {
    line(source, text) {
      for (const part of text.split('\n')) write(source, part);
    },
    output(source, piece) {
      const state = partial.get(source) ?? { decoder: new StringDecoder('utf8'), text: '' };
      const lines = (state.text + state.decoder.write(Buffer.from(piece))).split(/\r?\n|\r/);
      state.text = lines.pop() ?? '';
      for (const line of lines) write(source, line);
      if (state.text.length > LONGEST_LINE) {
        write(source, state.text);
        state.text = '';
      }
      partial.set(source, state);
    },
    end(lines) {
      flush();
      return last.slice(-lines).join('\n');
    },
    close() {
      flush();
      if (open) closeSync(file);
      open = false;
    },
  };
}

/** What a program prints must not steer the terminal of the person who reads the log: no escape sequences, no control characters. */
export function plain(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out.
      .replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g, '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out.
      .replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, '')
  );
}
