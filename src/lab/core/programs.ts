import { chmod, cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type GoBuilder, goBuilder } from '../../sources/go-module/index.ts';
import type { Context } from '../../support/context.ts';
import { inStep } from '../../support/progress.ts';

/** The real programs of a Kairos core image, by module and version. Part of the image's cache key. */
export const PROGRAMS = {
  'kairos-agent': 'github.com/kairos-io/kairos-agent/v2@v2.31.4',
  immucore: 'github.com/kairos-io/immucore@v0.20.4',
  edgevpn: 'github.com/mudler/edgevpn@v0.30.2',
  'kairos-init': 'github.com/kairos-io/kairos-init@v0.16.4',
} as const;

/** Programs that kairos-init embeds and a core image does not carry; these of ours end at once if something runs them after all. */
const ABSENT = ['provider-kairos', 'kcrypt-discovery-challenger', 'kairos-installer'];

/**
 * Builds kairos-init with the real kairos-agent, immucore and edgevpn inside into `folder`, as upstream's own build does
 * (pkg/bundled of kairos-init). `provider`, a program file, is embedded as provider-kairos; without it the image is a core image.
 */
export async function buildKairosInit(folder: string, context: Context, provider?: string): Promise<string> {
  const go = await goBuilder(context);
  const programs = join(folder, 'programs');
  await mkdir(programs, { recursive: true });
  const build = (name: keyof typeof PROGRAMS) =>
    inStep(
      context.progress,
      `${name} ${versionOf(name)}`,
      async () => buildProgram(go, name, folder, join(programs, name)),
      () => 'built',
    );
  // One after another: each of them keeps every processor busy.
  for (const name of ['kairos-agent', 'immucore', 'edgevpn'] as const) await build(name);
  return inStep(
    context.progress,
    `kairos-init ${versionOf('kairos-init')}`,
    async () => {
      const source = join(folder, 'kairos-init-source');
      await go.copyModule(PROGRAMS['kairos-init'], source);
      const bundled = join(source, 'pkg', 'bundled', 'binaries');
      for (const place of [bundled, join(bundled, 'fips')]) {
        await mkdir(place, { recursive: true });
        for (const name of ['kairos-agent', 'immucore', 'edgevpn'] as const)
          await cp(join(programs, name), join(place, name));
        for (const name of ABSENT) await writeFile(join(place, name), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
        if (provider !== undefined) {
          await cp(provider, join(place, 'provider-kairos'));
          await chmod(join(place, 'provider-kairos'), 0o755);
        }
        await writeFile(join(place, 'version-info.yaml'), versionInfo());
      }
      const program = join(folder, 'kairos-init');
      await go.build(source, program);
      await rm(source, { recursive: true, force: true });
      return program;
    },
    () => 'built',
  );
}

/** Builds one of the programs by its own module into the file `to`. */
export async function buildProgram(go: GoBuilder, name: keyof typeof PROGRAMS, folder: string, to: string) {
  const source = join(folder, `${name}-source`);
  await go.copyModule(PROGRAMS[name], source);
  await go.build(source, to);
  await rm(source, { recursive: true, force: true });
}

function versionOf(name: keyof typeof PROGRAMS): string {
  return PROGRAMS[name].split('@')[1] ?? '';
}

function versionInfo(): string {
  return Object.keys(PROGRAMS)
    .map((name) => `${name}: ${versionOf(name as keyof typeof PROGRAMS)}\n`)
    .join('');
}
