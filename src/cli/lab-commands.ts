import { Argument, Command, Option } from 'commander';
import type { Context } from '../support/context.ts';

type WithContext = (work: (context: Context) => Promise<void>) => Promise<void>;

const examples = (...lines: string[]) =>
  `\nExample${lines.length === 1 ? '' : 's'}:\n${lines.map((line) => `  ${line}`).join('\n')}`;
const labOption = () => new Option('--lab <name>', 'which lab, when several are up');
const coreOption = () =>
  new Option(
    '--core <file|url>',
    "raw disk or ISO of a Kairos core image (default: the lab's own, made on first use)",
  );
const releaseOption = () =>
  new Option('--release <folder|url>', 'the release to put on the nodes').default('dist');
const load = () => import('./commands/lab.ts');

/** `sextant lab` and its subcommands. */
export function labCommand(withContext: WithContext): Command {
  const lab = new Command('lab')
    .enablePositionalOptions()
    .description('real Kairos core nodes in QEMU: start them, look into them, test a release on them');
  lab
    .command('up')
    .description('boot a core image with a release on it, and follow it until the node is Ready')
    .option('--name <name>', 'name of the lab', 'default')
    .addOption(coreOption())
    .addOption(releaseOption())
    .option('--config <file>', 'a cloud-config of your own for /oem, besides the activation')
    .option('--nodes <number>', 'a server, and agents that join it', '1')
    .option('--memory <MiB>', 'memory of each node', '4096')
    .option('--disk <file>', 'boot this disk that a failed scenario kept, as it is')
    .option('--no-wait', 'do not follow the boot')
    .addHelpText(
      'after',
      examples(
        'sextant lab up',
        'sextant lab up --nodes 2',
        'sextant lab up --core kairos-core.iso --release https://example.org/provider-kairos',
      ),
    )
    .action((options) => withContext(async (context) => (await load()).up(options, context)));
  lab
    .command('hold', { hidden: true })
    .action(() => withContext(async (context) => (await load()).hold(context)));
  lab
    .command('list')
    .description('labs that are up')
    .option('--json', 'the same as JSON')
    .addHelpText('after', examples('sextant lab list'))
    .action((options) => withContext(async () => (await load()).list(options)));
  lab
    .command('run')
    .description('run a command in a node as root; its exit code is the exit code here')
    .argument('<node>', 'node1, node2, ...')
    .argument('<command...>', 'the command')
    .addOption(labOption())
    .passThroughOptions()
    .addHelpText(
      'after',
      examples('sextant lab run node1 k3s kubectl get nodes', "sextant lab run node1 'journalctl -b | tail'"),
    )
    .action((node: string, command: string[], options) =>
      withContext(async (context) => (await load()).run(node, command, options, context)),
    );
  lab
    .command('console')
    .description('the serial console of a node; Ctrl-] leaves it')
    .argument('[node]', 'which node')
    .addOption(labOption())
    .addHelpText('after', examples('sextant lab console node1'))
    .action((node: string | undefined, options) =>
      withContext(async (context) => (await load()).openConsole(node, options, context)),
    );
  lab
    .command('logs')
    .description('what the console of a node showed')
    .argument('[node]', 'which node')
    .option('-f, --follow', 'go on as it grows')
    .addOption(labOption())
    .addHelpText('after', examples('sextant lab logs node1 --follow'))
    .action((node: string | undefined, options) =>
      withContext(async (context) => (await load()).logs(node, options, context)),
    );
  lab
    .command('shot')
    .description('the screen of a node as PNG')
    .argument('<node>', 'which node')
    .argument('<file>', 'where to')
    .addOption(labOption())
    .addHelpText('after', examples('sextant lab shot node1 screen.png'))
    .action((node: string, file: string, options) =>
      withContext(async (context) => (await load()).shot(node, file, options, context)),
    );
  lab
    .command('down')
    .description('end a lab; its disks go with it')
    .addOption(labOption())
    .addHelpText('after', examples('sextant lab down'))
    .action((options) => withContext(async (context) => (await load()).down(options, context)));
  lab
    .command('test')
    .description('run scenarios, each to a verdict from inside the guest')
    .addArgument(new Argument('[scenario...]', 'which ones (default: all)'))
    .addOption(coreOption())
    .addOption(releaseOption())
    .option(
      '--recipe <file>',
      'the recipe of that release, for scenarios that build another',
      'recipes/lab.yaml',
    )
    .option('--results <folder>', 'where results and the logs of what failed go', 'test-results')
    .option('--cuts <number>', 'power cuts of the scenario power-cut', '1')
    .option('--seed <number>', 'where the moments of the power cuts are drawn from (default: a new one)')
    .option('--list', 'show the scenarios')
    .option('--json', 'the results as JSON on stdout')
    .addHelpText(
      'after',
      examples('sextant lab test', 'sextant lab test --list', 'sextant lab test next-boots tampered-file'),
    )
    .action((names: string[], options) =>
      withContext(async (context) => (await load()).test(names, options, context)),
    );
  return lab;
}
