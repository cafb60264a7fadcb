import type { Host } from '../host/host.ts';
import { runProgram } from '../programs.ts';

/** Services that are Kubernetes on a node, by the names of their distributions' own installers. */
export const SERVER_UNITS = ['k3s.service', 'k0scontroller.service'] as const;
export const AGENT_UNITS = ['k3s-agent.service', 'k0sworker.service'] as const;
const UNITS = [...SERVER_UNITS, ...AGENT_UNITS];

/** Those of `units` that run or are about to. */
export function activeUnits(host: Host, units: readonly string[] = UNITS): string[] {
  // Exit code 3: at least one is not active; one word a line, in the order asked for.
  const { stdout } = runProgram(host, 'systemctl', ['is-active', ...units], { okCodes: [0, 1, 3, 4] });
  const states = stdout.trim().split('\n');
  return units.filter((_, index) =>
    ['active', 'activating', 'reloading'].includes(states[index]?.trim() ?? ''),
  );
}

/** Stops Kubernetes and returns the units that ran. Pods go on: containerd's shims leave them be. */
export function stopKubernetes(host: Host): string[] {
  const running = activeUnits(host);
  if (running.length > 0) runProgram(host, 'systemctl', ['stop', ...running], { timeoutSeconds: 300 });
  return running;
}

/** Does not wait for it. */
export function startKubernetes(host: Host, units: readonly string[]): void {
  if (units.length > 0) runProgram(host, 'systemctl', ['start', '--no-block', ...units]);
}
