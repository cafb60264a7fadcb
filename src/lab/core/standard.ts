import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openBuildLog } from '../../hook/build-log.ts';
import { startProxy } from '../../hook/proxy.ts';
import { type Extension, withExtension } from '../../release/extension.ts';
import type { Release } from '../../release/types.ts';
import { builtFolder } from '../../sources/built.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { fileDigest } from '../../support/files.ts';
import { INSTALLATION, installDisk } from './install.ts';
import { buildKairosInit, PROGRAMS } from './programs.ts';
import { BASE, makeRoot, packRoot } from './root.ts';

const INSTALL_SCRIPT = 'standin/install/get-k3s.sh';
/** What the stand-in has beside the k3s program, and a real k3s inside it. */
const BESIDE = '/usr/lib/k3s-standin/';

/**
 * The yardstick: a standard image with the same provider plug-in and the same Kubernetes as a lab release, baked in by the same
 * kairos-init through the plug-in's own hook, installed onto a disk like the core image; cached. The release must be one with
 * stand-ins, whose parts are taken out of its extension. Throws `input` for another.
 */
export async function standardDisk(
  release: Release,
  releaseFolder: string,
  context: Context,
): Promise<string> {
  const image = release.images.find(({ architecture }) => architecture === 'amd64');
  if (image === undefined || !release.standin) {
    throw new SextantError(
      'input',
      `${releaseFolder}: the standard image is made from a release with stand-ins for amd64`,
      {
        hint: 'build recipes/lab.yaml',
      },
    );
  }
  const script = await fileDigest(resolve(INSTALL_SCRIPT));
  const key = {
    kind: 'lab-standard',
    version: 1,
    programs: PROGRAMS,
    base: BASE,
    extension: image.sha256,
    script: script.sha256,
    installation: INSTALLATION,
  };
  const folder = await builtFolder(context, key, async (made) => {
    const work = join(made, 'work');
    const live = join(work, 'live');
    await withExtension(join(releaseFolder, image.file), context, (extension) =>
      makeStandardRoot(extension, release.version, work, live, context),
    );
    await installDisk({ folder: live }, join(made, 'disk.raw'), join(work, 'install'), context);
    await rm(work, { recursive: true, force: true });
  });
  return join(folder, 'disk.raw');
}

async function makeStandardRoot(
  extension: Extension,
  version: string,
  work: string,
  live: string,
  context: Context,
): Promise<void> {
  const parts = join(work, 'parts');
  const take = async (path: string, to: string, mode = 0o755) => {
    await mkdir(dirname(to), { recursive: true });
    await pipeline(extension.files.stream(path), createWriteStream(to, { mode }));
    return to;
  };
  const provider = await take(
    '/usr/lib/kairos/providers/agent-provider-kairos',
    join(parts, 'agent-provider-kairos'),
  );
  const k3s = await take('/usr/bin/k3s', join(parts, 'k3s'));
  const kairosInit = await buildKairosInit(work, context, provider);
  const root = join(work, 'root');
  const log = openBuildLog(join(work, 'hook.log'));
  const answers: Readonly<Record<string, string>> = {
    'https://get.k3s.io/': resolve(INSTALL_SCRIPT),
    [`https://standin.sextant.invalid/k3s/${version}/k3s-amd64`]: k3s,
  };
  const proxy = await startProxy({
    log,
    answer: async (url) => {
      const path = answers[url] ?? answers[`${url}/`];
      return path === undefined ? { kind: 'refuse', reason: 'not part of the lab' } : { kind: 'file', path };
    },
  });
  const forward = createServer((socket) => {
    const out = connect(proxy.socket);
    for (const end of [socket, out]) end.on('error', () => {});
    socket.pipe(out).pipe(socket);
  });
  forward.listen(0, '127.0.0.1');
  await once(forward, 'listening');
  const address = `http://127.0.0.1:${(forward.address() as AddressInfo).port}`;
  const authority = '/tmp/lab-authority.pem';
  try {
    await makeRoot(
      root,
      kairosInit,
      {
        arguments: ['--provider', 'k3s', '--provider-k3s-version', version],
        environment: { HTTPS_PROXY: address, https_proxy: address, CURL_CA_BUNDLE: authority },
        files: { [authority]: proxy.certificate },
      },
      context,
    );
  } finally {
    forward.close();
    await proxy.close();
  }
  await rm(join(root, authority), { force: true });
  for await (const { path, kind, mode } of extension.files.list()) {
    if (kind === 'file' && path.startsWith(BESIDE)) await take(path, join(root, path), mode & 0o777);
  }
  await packRoot(root, live, context);
}
