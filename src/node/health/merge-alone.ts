import { MERGE_SERVICE } from '../effects/merge.ts';
import { removeTree } from '../effects/remove-tree.ts';
import { makeFolders } from '../files.ts';
import type { Host } from '../host/host.ts';
import { ENABLED_FOLDER, RUN_FOLDER, rootHashFile } from '../model/paths.ts';
import { finalTarget, OTHER_FOLDERS } from '../observe/store.ts';
import { runProgram } from '../programs.ts';

const FOLDER = `${RUN_FOLDER}/alone`;
/** Kairos' own policy, for a service whose command line does not say one. */
const USUAL_POLICY = 'root=verity+absent:usr=verity+absent';
const MERGE_SECONDS = 120;

/**
 * Why systemd-sysext does not merge an image that is the only one enabled, or undefined: it does. Done by systemd-sysext itself, with the
 * policy and the hierarchies of this boot, in mounts of its own that end with it: nothing of it is seen elsewhere. Throws `tool` where
 * that cannot be asked.
 */
export function refusedAlone(host: Host, path: string): string | undefined {
  removeTree(host, FOLDER);
  makeFolders(host, FOLDER);
  try {
    const link = `${FOLDER}/${path.slice(path.lastIndexOf('/') + 1)}`;
    host.symlink(finalTarget(host, path), link);
    const rootHash = host.readText(rootHashFile(path));
    if (rootHash !== undefined) host.writeNew(rootHashFile(link), rootHash, 0o644);
    return askSysext(host);
  } finally {
    removeTree(host, FOLDER);
  }
}

function askSysext(host: Host): string | undefined {
  const policy = /--image-policy="?([^"\s;]+)/.exec(property(host, 'ExecStart'))?.[1] ?? USUAL_POLICY;
  const environment = property(host, 'Environment')
    .split(/\s+/)
    .filter((word) => word.includes('='));
  const hidden = OTHER_FOLDERS.filter((folder) => host.stat(folder)?.kind === 'folder');
  const properties = [
    'PrivateMounts=yes',
    `BindReadOnlyPaths=${FOLDER}:${ENABLED_FOLDER}`,
    ...hidden.map((folder) => `TemporaryFileSystem=${folder}:ro`),
  ];
  const { code, stdout, stderr } = runProgram(
    host,
    'systemd-run',
    [
      ...['--wait', '--pipe', '--collect', '--quiet'],
      ...properties.map((property) => `--property=${property}`),
      ...environment.map((variable) => `--setenv=${variable}`),
      ...['--', 'systemd-sysext', 'merge', `--image-policy=${policy}`],
    ],
    { timeoutSeconds: MERGE_SECONDS, okCodes: [0, 1] },
  );
  if (code === 0) return undefined;
  return (stderr.trim() || stdout.trim()).split('\n').at(-1) || 'it says nothing';
}

function property(host: Host, name: string): string {
  const args = ['show', '--value', `--property=${name}`, MERGE_SERVICE];
  return runProgram(host, 'systemctl', args).stdout.trim();
}
