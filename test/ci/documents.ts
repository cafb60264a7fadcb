import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** Workflows and the action as people use them. */
export const GITHUB = [
  '.github/workflows/pipeline.yml',
  'examples/ci/github.yml',
  'examples/ci/provider-kairos-release.yml',
];
export const ACTION = 'action.yml';
export const GITLAB = 'examples/ci/gitlab-ci.yml';

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}

interface Workflow {
  readonly jobs?: Readonly<Record<string, { readonly uses?: string; readonly steps?: readonly Step[] }>>;
  readonly runs?: { readonly steps: readonly Step[] };
}

export function workflow(file: string): Workflow {
  return parse(readFileSync(file, 'utf8')) as Workflow;
}

export function steps(file: string): readonly Step[] {
  const { jobs = {}, runs } = workflow(file);
  return [...(runs?.steps ?? []), ...Object.values(jobs).flatMap((job) => job.steps ?? [])];
}

/** Everything that is used of other repositories. */
export function uses(file: string): readonly string[] {
  const { jobs = {} } = workflow(file);
  return [...Object.values(jobs).map((job) => job.uses), ...steps(file).map((step) => step.uses)].filter(
    (used) => used !== undefined,
  );
}
