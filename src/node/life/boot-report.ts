import { replaceRuntimeFile } from '../files.ts';
import type { Host } from '../host/host.ts';
import { generation } from '../model/change.ts';
import type { Decision } from '../model/effects.ts';
import { RUN_FOLDER } from '../model/paths.ts';

const BOOT_REPORT = `${RUN_FOLDER}/boot.json`;

/** What this boot runs and why, for people and tools; nothing decides by it. */
export interface BootReport {
  readonly format: 1;
  readonly bootId: string;
  /** Generation, or null when nothing of ours runs. */
  readonly runs: number | null;
  readonly kubernetes: string | null;
  readonly operatingSystem: string | null;
  readonly state: string | null;
  readonly why: string;
  /** What could not be done as decided first, or null. */
  readonly problem: string | null;
  /** What deciding and linking took. */
  readonly milliseconds: number;
}

export function writeBootReport(
  host: Host,
  decision: Decision,
  problem: string | null,
  seconds: number,
): void {
  const { runs, why, records } = decision;
  const pair = generation(records, runs);
  const report: BootReport = {
    format: 1,
    bootId: records.boot?.id ?? '',
    runs,
    kubernetes: pair?.kubernetes ?? null,
    operatingSystem: pair?.osName ?? null,
    state: pair?.state ?? null,
    why,
    problem,
    milliseconds: Math.round(seconds * 1000),
  };
  replaceRuntimeFile(host, BOOT_REPORT, `${JSON.stringify(report, null, 2)}\n`);
}
