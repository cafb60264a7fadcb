import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../../../src/support/context.ts';

const judges = join(cacheFolder(), 'judges');
const root = join(judges, 'registry');

export interface RealRegistry {
  /** 127.0.0.1:PORT */
  readonly host: string;
  readonly log: () => string;
  close(): Promise<void>;
}

/**
 * Debian's docker-registry 2.8.2 on a loopback port, its data in a folder of its own (`make tools` brings it: tools/judges-registry.sh). It runs with
 * the C library it came with. `users` are lines of htpasswd(1) with bcrypt: then everything wants a login.
 */
export async function startRealRegistry(users?: string): Promise<RealRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'sextant-registry-'));
  const [program = '', ...args] = realRegistryCommand(folder, { users });
  return startServer(program, args, folder);
}

/** Command line of the same, its data and configuration in `folder`; for a test that starts it elsewhere. */
export function realRegistryCommand(
  folder: string,
  { users, port = 0 }: { readonly users?: string | undefined; readonly port?: number } = {},
): string[] {
  const program = join(root, 'usr/bin/docker-registry');
  if (!existsSync(program)) throw new Error(`${program} is missing; \`make tools\` brings it`);
  const config = join(folder, 'config.yml');
  if (users !== undefined) writeFileSync(join(folder, 'users'), users);
  writeFileSync(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: 'info', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
      http: { addr: `127.0.0.1:${port}`, secret: 'for tests only' },
      ...(users === undefined
        ? {}
        : { auth: { htpasswd: { realm: 'registry', path: join(folder, 'users') } } }),
    }),
  );
  const libraries = join(root, 'lib/x86_64-linux-gnu');
  const loader = join(libraries, 'ld-linux-x86-64.so.2');
  const direct = !existsSync(loader);
  return [...(direct ? [program] : [loader, '--library-path', libraries, program]), 'serve', config];
}

/** go-containerregistry's registry, in memory, which lists what is attached by itself (test/release/judges/registry). */
export function startListingRegistry(): Promise<RealRegistry> {
  return startServer(judgeProgram('registry-judge'), [], undefined);
}

/** Starts a registry and waits until it listens; removes `folder` when it is closed. */
export async function startServer(
  program: string,
  args: readonly string[],
  folder: string | undefined,
): Promise<RealRegistry> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', OTEL_TRACES_EXPORTER: 'none' },
  });
  let said = '';
  const host = await new Promise<string>((resolve, reject) => {
    const look = (piece: Buffer) => {
      said += piece.toString();
      const found = /listening on (127\.0\.0\.1:\d+)/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`${program} ended with ${code}: ${said}`)));
  });
  return {
    host,
    log: () => said,
    close: () =>
      new Promise((resolve) => {
        child.once('close', () => {
          if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
          resolve();
        });
        child.kill('SIGTERM');
        setTimeout(() => child.kill('SIGKILL'), 5000).unref();
      }),
  };
}

/** Runs a judge (oras, crane) that `make tools` built; throws with what it said where it fails. */
export function judge(
  name: 'oras' | 'crane' | 'kairos-agent',
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): string {
  const { status, stdout, stderr, error } = spawnSync(join(judges, 'go/bin', name), args, {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${name} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

/** Program of a judge. */
export function judgeProgram(name: string): string {
  return join(judges, 'go/bin', name);
}
