import { rm } from 'node:fs/promises';
import { SextantError } from '../support/errors.ts';
import { capabilityWarnings } from './capabilities.ts';
import { cloudConfigWarnings } from './cloud-config.ts';
import { componentInputs } from './components.ts';
import { settle } from './conflicts.ts';
import { generated, readText } from './content.ts';
import { enablementText } from './enablement.ts';
import { tmpfilesPath, tmpfilesText } from './factory.ts';
import { linkWarnings, repointLinks } from './links.ts';
import {
  MANIFEST_PATH,
  manifest,
  manifestText,
  releaseFilePath,
  releaseFileText,
  treeDigest,
} from './manifest.ts';
import { type Input, type Planned, type Problem, plan, removedProblems } from './plan.ts';
import { findPlugin } from './plugin.ts';
import { checkPrograms } from './programs.ts';
import { removeSandboxProxies } from './sandbox-traces.ts';
import { nodeProgram, selfActivation } from './self-activation.ts';
import type { Tree, TreeEntry, TreeRequest } from './types.ts';
import { carriedUnits } from './unit-checks.ts';
import { byBytes, walk } from './walk.ts';
import { openOutput, toEntries, withFolders, writeTree } from './write.ts';

/**
 * Makes of what the hook wrote and what the recipe takes from its components the tree of an extension (design decisions 2 and 6).
 * Every path is delivered, relocated, a factory copy, dropped by a named rule, or part of one `input` error that lists all that
 * cannot be carried. Everything is checked before the first byte is written; after an error `output` is gone.
 */
export async function buildTree(request: TreeRequest): Promise<Tree> {
  const { signal, extensionName } = request;
  const inputs: Input[] = [];
  const unreadable: Problem[] = [];
  const upper = await walk(request.upper, signal);
  inputs.push(...upper.nodes.map((node) => ({ ...node, component: 'hook', group: 0 })));
  unreadable.push(...upper.problems.map((line) => nameProblem('hook', line)));
  for (const [index, component] of request.components.entries()) {
    const found = await componentInputs(component, index + 1, signal);
    inputs.push(...found.inputs);
    unreadable.push(...found.problems.map((line) => nameProblem(component.component, line)));
  }

  const outcome = plan(inputs, extensionName);
  const cleaned = await withoutSandboxProxies(outcome.planned);
  const units = await carriedUnits(cleaned.planned);
  const enabled = outcome.enablements.map((enablement) => ({
    ...generated(enablement.path, enablementText(enablement, units.endsByItself(enablement.unit))),
    disposition: 'relocated' as const,
    from: enablement.from,
    component: enablement.component,
  }));
  const settled = await settle([...cleaned.planned, ...enabled], signal);
  const carried = repointLinks(settled.planned);
  const tmpfiles = tmpfilesText(extensionName, carried, request.imagesOnNode);
  const planned =
    tmpfiles === undefined ? carried : [...carried, generated(tmpfilesPath(extensionName), tmpfiles)];

  const programs = await checkPrograms(planned, request.architecture, signal);
  const problems = [
    ...unreadable,
    ...outcome.problems,
    ...removedProblems(request.removed, extensionName),
    ...settled.problems,
    ...programs.problems,
  ];
  if (problems.length > 0) throw cannotCarry(problems);
  const plugin = await findPlugin(request.plugin, planned, signal);

  const warnings = [
    ...cleaned.warnings,
    ...units.warnings,
    ...outcome.enablements
      .filter(({ unit }) => !units.has(unit))
      .map(({ from, unit }) => `${from} enables ${unit}, which the extension does not carry`),
    ...linkWarnings(planned),
    ...programs.warnings,
    ...(await cloudConfigWarnings(planned)),
    ...p2pWarnings(planned),
    ...(await capabilityWarnings(request.getcap, [request.upper, ...folders(request)], signal)),
  ];
  const known = await toEntries(planned, signal);
  const added = [
    ...selfActivation(
      {
        extensionName,
        plugin,
        units: units.names,
        enabled: outcome.enablements.map(({ by, unit }) => ({ by, unit })),
        contentId: treeDigest(known).slice(0, 16),
      },
      planned,
    ),
    ...(await nodeProgram(request.nodeProgram)),
    generated(releaseFilePath(extensionName), releaseFileText(request)),
  ];
  const dropped = [...outcome.dropped, ...settled.dropped];
  return write(request, plugin, [...planned, ...added], dropped, [...new Set(warnings)]);
}

async function write(
  request: TreeRequest,
  plugin: string,
  planned: readonly Planned[],
  dropped: readonly TreeEntry[],
  warnings: readonly string[],
): Promise<Tree> {
  const { signal, output } = request;
  // The manifest describes all but itself; its folder is there because of the cloud-config folder.
  const complete = withFolders(planned);
  const described = [...(await toEntries(complete, signal)), ...dropped];
  const manifestFile = generated(MANIFEST_PATH, manifestText(manifest(request, plugin, described)));
  const entries = [...described, ...(await toEntries([manifestFile]))].sort((a, b) =>
    byBytes(a.path, b.path),
  );
  await openOutput(output);
  try {
    await writeTree(output, withFolders([...planned, manifestFile]), signal);
  } catch (error) {
    await rm(output, { recursive: true, force: true });
    throw error;
  }
  return { root: output, entries, warnings };
}

function folders(request: TreeRequest): string[] {
  return request.components.filter(({ files }) => files.length > 0).map(({ folder }) => folder);
}

function nameProblem(component: string, line: string): Problem {
  const colon = line.lastIndexOf(': ');
  return {
    path: line.slice(0, colon),
    component,
    reason: line.slice(colon + 2),
    advice: 'rename it',
  };
}

/** Environment files without the sandbox's proxy; each removed setting is a warning. */
async function withoutSandboxProxies(
  planned: readonly Planned[],
): Promise<{ planned: Planned[]; warnings: string[] }> {
  const warnings: string[] = [];
  const result: Planned[] = [];
  for (const entry of planned) {
    const mayBe =
      entry.component === 'hook' &&
      entry.disposition === 'factory' &&
      entry.kind === 'file' &&
      entry.size < 65536;
    const { text, removed } = mayBe ? removeSandboxProxies(await readText(entry)) : { text: '', removed: [] };
    if (removed.length === 0) {
      result.push(entry);
      continue;
    }
    const bytes = Buffer.from(text);
    result.push({ ...entry, content: { bytes }, size: bytes.length });
    const names = removed.map((line) => line.split('=', 1)[0]?.trim()).join(', ');
    warnings.push(`${entry.from ?? entry.path}: left out ${names}, the proxy of the build's sandbox`);
  }
  return { planned: result, warnings };
}

/** A standard image has edgevpn at /usr/bin/edgevpn; a provider's p2p mode needs it there. */
function p2pWarnings(planned: readonly Planned[]): string[] {
  if (planned.some(({ path }) => path === '/usr/bin/edgevpn')) return [];
  return ['/usr/bin/edgevpn is not in the extension: a p2p: block will not work on its nodes'];
}

function cannotCarry(problems: readonly Problem[]): SextantError {
  const sorted = [...problems].sort((a, b) => byBytes(a.path, b.path));
  const names = sorted.map(({ path }) => path);
  const shown =
    names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
  const [only] = sorted;
  const single = sorted.length === 1 && only !== undefined;
  return new SextantError(
    'input',
    single
      ? `the extension cannot carry ${only.path} (${only.component}): ${only.reason}`
      : `the extension cannot carry ${sorted.length} paths: ${shown}`,
    {
      hint: (single ? only.advice : undefined) ?? 'each line below says what to do about its path',
      ...(single
        ? {}
        : {
            details: sorted
              .map(
                ({ path, component, reason, advice }) =>
                  `${path} (${component}): ${reason}${advice === undefined ? '' : `; ${advice}`}`,
              )
              .join('\n'),
          }),
    },
  );
}
