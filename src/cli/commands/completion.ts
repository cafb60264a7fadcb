import type { Command } from 'commander';

type Shell = 'bash' | 'zsh' | 'fish';

interface Described {
  readonly name: string;
  readonly description: string;
  readonly options: readonly { readonly flag: string; readonly description: string }[];
  readonly choices: readonly string[];
}

/** A completion script made from the commands themselves, so that it cannot fall behind them. */
export function completion(shell: Shell, commands: readonly Command[]): string {
  const described = commands.map(
    (command): Described => ({
      name: command.name(),
      description: command.description(),
      options: optionsOf(command),
      choices: [
        ...command.commands.map((inner) => inner.name()).filter((name) => name !== 'hold'),
        ...command.registeredArguments.flatMap((argument) => argument.argChoices ?? []),
      ],
    }),
  );
  return { bash, zsh, fish }[shell](described);
}

/** Of the command and of those inside it, each once. */
function optionsOf(command: Command): Described['options'] {
  const all = [command, ...command.commands].flatMap(({ options }) => options);
  const byFlag = new Map(
    all.map((option) => [
      option.long ?? option.flags,
      { flag: option.long ?? option.flags, description: option.description },
    ]),
  );
  return [...byFlag.values()];
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function bash(commands: readonly Described[]): string {
  const cases = commands.map(
    ({ name, options, choices }) =>
      `    ${name}) words=${quoted([...choices, ...options.map(({ flag }) => flag), '--help'].join(' '))} ;;`,
  );
  return `# bash completion for sextant
_sextant() {
  local words current=\${COMP_WORDS[COMP_CWORD]}
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quoted(commands.map(({ name }) => name).join(' '))} -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
    *) words= ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current") $(compgen -f -- "$current"))
}
complete -o filenames -F _sextant sextant
`;
}

function zsh(commands: readonly Described[]): string {
  const names = commands.map(
    ({ name, description }) => `    ${quoted(`${name}:${description.replaceAll(':', '\\:')}`)}`,
  );
  const cases = commands.map(
    ({ name, options, choices }) =>
      `    ${name}) compadd -- ${[...choices, ...options.map(({ flag }) => flag), '--help'].join(' ')}; _files ;;`,
  );
  return `#compdef sextant
_sextant() {
  local -a names=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command names
    return
  fi
  case $words[2] in
${cases.join('\n')}
  esac
}
compdef _sextant sextant
`;
}

function fish(commands: readonly Described[]): string {
  const lines = commands.flatMap(({ name, description, options, choices }) => [
    `complete -c sextant -n __fish_use_subcommand -f -a ${name} -d ${quoted(description)}`,
    ...choices.map(
      (choice) => `complete -c sextant -n '__fish_seen_subcommand_from ${name}' -f -a ${choice}`,
    ),
    ...options.map(
      (option) =>
        `complete -c sextant -n '__fish_seen_subcommand_from ${name}' -l ${option.flag.replace(/^--/, '')} -d ${quoted(option.description)}`,
    ),
  ]);
  return `# fish completion for sextant\n${lines.join('\n')}\n`;
}
