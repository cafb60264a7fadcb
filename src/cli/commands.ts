import { Argument, Command, Option } from 'commander';
import { ARCHITECTURES, type Architecture } from '../support/architecture.ts';
import { type Context, cacheFolder } from '../support/context.ts';
import { catalogCommand, siteCommand } from './catalog-commands.ts';
import { keyCommand } from './key-commands.ts';
import { labCommand } from './lab-commands.ts';
import { stderrProgress } from './print.ts';

const examples = (...lines: string[]) =>
  `\n${lines.length === 1 ? 'Example' : 'Examples'}:\n${lines.map((line) => `  ${line}`).join('\n')}`;
const recipeOption = () => new Option('-r, --recipe <file>', 'the recipe').default('sextant.yaml');
const jsonOption = () => new Option('--json', 'the same facts as JSON on stdout');
const outputOption = () => new Option('-o, --output <folder>', 'where the release goes').default('dist');
const archOption = () =>
  new Option('--arch <architecture...>', "only these of the recipe's architectures").choices([
    ...ARCHITECTURES,
  ]);
const frozenOption = () =>
  new Option(
    '--frozen',
    'the lock must fit unchanged and everything must be in the cache; no network is used',
  );

export interface RecipeOptions {
  readonly recipe: string;
  readonly arch?: Architecture[];
  readonly json?: boolean;
}

/**
 * Every command with its options and examples. The work is imported when a command runs, so that `--help` costs little. Each
 * command gets a Context whose progress goes to stderr.
 */
export function commands(signal: AbortSignal): Command[] {
  async function withContext(work: (context: Context) => Promise<void>): Promise<void> {
    const progress = stderrProgress();
    try {
      await work({ cache: cacheFolder(), progress, signal });
    } finally {
      progress.stop();
    }
  }

  return [
    new Command('init')
      .description('write a commented recipe')
      .argument('[file]', 'where to', 'sextant.yaml')
      .addOption(
        new Option('--distribution <name>', 'what to deliver').choices(['k3s', 'k0s']).default('k3s'),
      )
      .option('--force', 'replace a recipe that is there')
      .addHelpText('after', examples('sextant init', 'sextant init edge.yaml --distribution k0s'))
      .action((file: string, options: { distribution: 'k3s' | 'k0s'; force?: boolean }) =>
        withContext(async () => (await import('./commands/init.ts')).init(file, options)),
      ),
    new Command('lock')
      .description('pin every byte that enters a build: version, size and SHA-256')
      .addOption(recipeOption())
      .addOption(archOption())
      .option('--update [component...]', 'resolve again: all, or these components')
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples('sextant lock', 'sextant lock --update edgevpn', 'sextant lock -r recipes/k3s.yaml'),
      )
      .action((options: RecipeOptions & { update?: true | string[] }) =>
        withContext(async (context) => (await import('./commands/lock.ts')).lock(options, context)),
      ),
    new Command('build')
      .description('build the release: extension, root hash, activation.yaml, checksums, SBOM, provenance')
      .addOption(recipeOption())
      .addOption(outputOption())
      .addOption(archOption())
      .addOption(frozenOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples('sextant build', 'sextant build --recipe recipes/lab.yaml --frozen --arch amd64'),
      )
      .action((options: RecipeOptions & { output: string; frozen?: boolean }) =>
        withContext(async (context) => (await import('./commands/build.ts')).build(options, context)),
      ),
    new Command('release')
      .description("build the releases of a recipe's matrix, several at a time; what is done stays done")
      .addOption(recipeOption())
      .addOption(
        new Option('-o, --output <folder>', 'each release in DISTRIBUTION-VERSION below it').default('dist'),
      )
      .option('--only <id...>', 'only these of the matrix, such as k3s-1.36')
      .option('--jobs <number>', 'releases at a time (default: 2)')
      .option(
        '--memory <bytes>',
        'what they may take together by estimate, such as 8G (default: 3/4 of what is free)',
      )
      .option(
        '--published <place>',
        "folder or address of published releases, DISTRIBUTION-VERSION below it, or oci://HOST/REPOSITORY (default: each release's url)",
      )
      .option('--no-published', 'build what is published already, too')
      .option('--unsigned', "without the recipe's signature: to compare, where the key is not")
      .option('--url <address>', "folder address that they will be served from, instead of the recipe's")
      .option(
        '--component-version <component=version...>',
        'what to call the version of a file that was just built',
      )
      .addOption(frozenOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          'sextant release',
          'sextant release --jobs 3 --memory 12G --published https://example.org/k8s',
        ),
      )
      .action((options) =>
        withContext(async (context) => (await import('./commands/release.ts')).release(options, context)),
      ),
    new Command('watch-upstream')
      .description('what is newer upstream than the locks; exit code 9 when the recipe allows any of it')
      .addOption(recipeOption())
      .option('--only <id...>', 'only these of the matrix, such as k3s-1.36')
      .option('--write', 'let the locks take what the recipe allows')
      .option('--no-tools', 'leave out the Debian packages of the tools (mkfs.erofs, the root of the hook)')
      .option('--markdown', 'the text of a pull request')
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples('sextant watch-upstream', 'sextant watch-upstream --write --markdown > pull-request.md'),
      )
      .action((options) =>
        withContext(async (context) =>
          (await import('./commands/watch-upstream.ts')).watchUpstreamCommand(options, context),
        ),
      ),
    new Command('mirror')
      .description(
        'copy everything a recipe and its releases need into a folder or a registry for a closed network',
      )
      .addOption(recipeOption())
      .requiredOption(
        '-o, --output <place>',
        'the mirror: a folder, or oci://HOST/REPOSITORY; what is there and right is kept',
      )
      .option('--url <address>', 'where the folder will be served (default: its own file:// address)')
      .addOption(
        new Option(
          '--host <architecture...>',
          'machines that build in the closed network (default: both)',
        ).choices([...ARCHITECTURES]),
      )
      .option(
        '--release <place...>',
        'finished releases to put in: folders, addresses or oci://HOST/REPOSITORY:TAG',
      )
      .option(
        '--catalog <place>',
        'catalog to put in with its signature: folder, address or oci://HOST/REPOSITORY:TAG',
      )
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          'sextant mirror --output mirror --url https://mirror.example.org/sextant',
          'sextant mirror --output mirror --url http://10.0.0.2:8080 --release dist/k3s-v1.36.3+k3s1',
          'sextant mirror --output oci://registry.example.org/k8s-mirror --catalog https://example.org/k8s',
        ),
      )
      .action((options) =>
        withContext(async (context) => (await import('./commands/mirror.ts')).mirror(options, context)),
      ),
    new Command('quickstart')
      .description(
        'build the default recipe: the real components where their downloads answer, else the lab recipe',
      )
      .addOption(outputOption())
      .addOption(archOption())
      .addHelpText('after', examples('sextant quickstart', 'sextant quickstart --arch arm64'))
      .action((options: { output: string; arch?: Architecture[] }) =>
        withContext(async (context) =>
          (await import('./commands/quickstart.ts')).quickstart(options, context),
        ),
      ),
    new Command('activation')
      .description('write the cloud-config that puts a release on a node')
      .argument('[release]', 'a built release', 'dist')
      .option('-o, --output <file>', 'where to (default: stdout)')
      .option(
        '--url <address>',
        'folder address the release is served from, or oci://HOST/REPOSITORY[:TAG] (default: what it was built for)',
      )
      .option('--k3s', 'single node or server: k3s.enabled')
      .option('--k3s-agent', 'join an existing k3s server: k3s-agent.enabled')
      .option('--k0s', 'k0s.enabled')
      .option('--k0s-worker', 'k0s-worker.enabled')
      .option('--arg <argument...>', 'argument for the distribution')
      .option('--env <name=value...>', 'environment for the distribution')
      .option('--p2p-token-file <file>', 'file with the network token; "-" reads stdin')
      .addOption(new Option('--p2p-role <role>', 'role in the p2p network').choices(['master', 'worker']))
      .option('--strict', "require the release's signature on every extension of the node")
      .option(
        '--certificate <file>',
        'PEM certificate for --strict; "firmware": none, the firmware\'s db has it (trusted boot)',
      )
      .option('--adopt', 'let sextant-node take the node over: the pair that works is kept')
      .option('--http-proxy <address>', 'proxy for the download')
      .option('--https-proxy <address>', 'proxy for the download')
      .option('--no-proxy <hosts>', 'hosts to reach without proxy')
      .option('--ca <file>', 'PEM certificate of a private authority for the download')
      .option('--merge-timeout <seconds>', 'time limit for the merge at boot')
      .addHelpText(
        'after',
        examples(
          'sextant activation dist --k3s --adopt --output activation.yaml',
          'sextant activation dist --k3s-agent --env K3S_URL=https://10.0.0.2:6443 --env K3S_TOKEN=... ',
          'sextant activation dist --p2p-token-file token.txt --p2p-role worker',
        ),
      )
      .action((release: string, options) =>
        withContext(async () => (await import('./commands/activation.ts')).activation(release, options)),
      ),
    new Command('inspect')
      .description('show what an extension holds and where each file came from')
      .argument('<file>', 'a .raw file or its address')
      .option('--files', 'every path with what happened to it')
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          'sextant inspect dist/provider-kairos-*-amd64.sysext.raw',
          'sextant inspect --files --json a.raw',
        ),
      )
      .action((file: string, options: { files?: boolean; json?: boolean }) =>
        withContext(async (context) =>
          (await import('./commands/inspect.ts')).inspect(file, options, context),
        ),
      ),
    new Command('verify')
      .description(
        'check a release or one extension, offline: every byte, checksums, signatures, provenance, SBOM; exit code 0 or 4',
      )
      .argument('<release>', 'folder of a release, or a .raw file or its address')
      .option(
        '--cert <file>',
        'PEM certificate that must have signed it; given twice, one of them',
        (file: string, before: readonly string[] = []) => [...before, file],
      )
      .option('--lock <file>', 'lock that the release must have been made from')
      .option(
        '--roothash <hash|file>',
        'the root hash a .raw file must have; default: the .roothash file next to it',
      )
      .option('--require-valid-dates', 'an expired certificate is a failure (systemd ignores the dates)')
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          'sextant verify dist --cert release.crt --lock sextant.lock.json',
          'sextant verify dist/provider-kairos-*-amd64.sysext.raw',
          'sextant verify a.raw --cert release.crt',
        ),
      )
      .action((place: string, options) =>
        withContext(async (context) =>
          (await import('./commands/verify.ts')).verify(place, options, context),
        ),
      ),
    new Command('diff')
      .description('what differs between two extensions: components, files, sizes')
      .argument('<a>', 'a .raw file or its address')
      .argument('<b>', 'another')
      .addOption(jsonOption())
      .addHelpText('after', examples('sextant diff old.raw new.raw'))
      .action((a: string, b: string, options: { json?: boolean }) =>
        withContext(async (context) => (await import('./commands/diff.ts')).diff(a, b, options, context)),
      ),
    new Command('publish')
      .description('publish a built release to an OCI registry, a folder or a GitHub release')
      .argument('<target>', 'oci://HOST/REPOSITORY[:TAG], github:OWNER/REPOSITORY@TAG, or a folder')
      .argument('[release]', 'a built release', 'dist')
      .addOption(
        new Option('--form <form...>', 'registry: only these forms of the extension (default: both)').choices(
          ['raw', 'tar'],
        ),
      )
      .option('--replace', 'put it in the place of a different release of the same version')
      .option('--dry-run', 'registry: print every tag and digest, send nothing')
      .option('--plain-http', 'registry: without TLS, a login too (on loopback this is the default)')
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          'sextant publish oci://ghcr.io/acme/kubernetes',
          'sextant publish github:acme/kubernetes@v1.36.3+k3s1 dist',
          'sextant publish /srv/www/kubernetes/v1.36.3+k3s1',
        ),
      )
      .action((target: string, release: string, options) =>
        withContext(async (context) =>
          (await import('./commands/publish.ts')).publish(target, release, options, context),
        ),
      ),
    keyCommand(withContext),
    catalogCommand(withContext),
    siteCommand(withContext),
    labCommand(withContext),
    new Command('cache')
      .description('show or empty the cache of fetched and built files')
      .addArgument(
        new Argument('[action]', 'what to do').choices(['status', 'prune', 'clear']).default('status'),
      )
      .option('--limit <bytes>', 'prune down to this size')
      .addOption(jsonOption())
      .addHelpText('after', examples('sextant cache', 'sextant cache prune --limit 5000000000'))
      .action((action: string, options: { limit?: string; json?: boolean }) =>
        withContext(async (context) => (await import('./commands/cache.ts')).cache(action, options, context)),
      ),
    new Command('doctor')
      .description('what this machine has, what it lacks, and the command that mends it')
      .addOption(jsonOption())
      .addHelpText('after', examples('sextant doctor'))
      .action((options: { json?: boolean }) =>
        withContext(async (context) => (await import('./commands/doctor.ts')).doctor(options, context)),
      ),
    new Command('completion')
      .description('print a completion script for a shell')
      .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
      .addHelpText('after', examples('sextant completion bash > /etc/bash_completion.d/sextant'))
      .action(async (shell: 'bash' | 'zsh' | 'fish', _options: object, command: Command) => {
        const { completion } = await import('./commands/completion.ts');
        process.stdout.write(completion(shell, command.parent?.commands ?? []));
      }),
  ];
}
