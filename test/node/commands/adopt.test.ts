import { existsSync, mkdirSync, readFileSync, symlinkSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  DAMAGED_FILE,
  DAMAGED_PREVIOUS_FILE,
  PREVIOUS_FILE,
  RECORD_FILE,
  storeFile,
  storeLink,
} from '../../../src/node/model/paths.ts';
import type { ExtensionFile } from '../../../src/node/model/types.ts';
import { expectGolden } from '../../golden.ts';
import { sha256 } from '../download/example.ts';
import { place } from '../rooted.ts';
import {
  cutAfter,
  everyCut,
  type FakeNode,
  fakeNode,
  merged,
  NAME,
  nothingHalfWritten,
  withoutProcesses,
} from './fake-node.ts';
import { type RealImage, realImages } from './images.ts';

const STORE = '/var/lib/kairos/extensions';
const PROGRAM = '/opt/sextant/bin/sextant-node';
let image: RealImage;
let node: FakeNode;
beforeAll(async () => {
  [image] = await realImages();
});
beforeEach(() => {
  node = fakeNode();
});
afterEach(() => node.remove());
const file = (): ExtensionFile => ({
  name: NAME,
  sha256: sha256(image.bytes),
  rootHash: image.rootHash,
  size: image.bytes.length,
});
/** As someone has it who enabled an extension with kairos-agent alone. */
function byHand(name = NAME): void {
  place(node.root, `${STORE}/${name}-v1.33.raw`, image.bytes);
  symlinkSync(`../${name}-v1.33.raw`, `${node.root}${STORE}/active/${name}.sysext.raw`);
  symlinkSync(
    `${node.root}${STORE}/active/${name}.sysext.raw`,
    `${node.root}/run/extensions/${name}.sysext.raw`,
  );
  merged(node.root, 'v1.33.4+k3s1');
}

describe('adopt', () => {
  test('takes over what the activation merged: record, program, cloud-config, watch', () => {
    node.activated(image.bytes, image.rootHash);
    const { code, out } = node.run(['adopt']);
    expect(out).toBe(
      'Generation 1 (Kubernetes v1.33.4+k3s1 on kairos-core-debian-13 v4.1.0) is the\nfirst generation; it is watched from now on.\n',
    );
    expect(code).toBe(0);
    expect(node.records().generations).toMatchObject([{ id: 1, state: 'trying', files: [file()] }]);
    expect(readFileSync(`${node.root}${PROGRAM}`, 'utf8')).toBe('the program');
    expect(node.host.readlink(`/run/extensions/${NAME}.sysext.raw`)).toBe(storeFile(file()));
    expect(readFileSync(`${node.root}/run/extensions/${NAME}.sysext.roothash`, 'utf8')).toBe(image.rootHash);
    expect(node.calls()).toEqual([
      'systemctl daemon-reload',
      'systemctl start --no-block sextant-watch.service',
    ]);
    expect(existsSync(`${node.root}/run/systemd/system/sextant-watch.service`)).toBe(true);
  });

  test('writes a cloud-config that runs the decision before the merge and only where the program is', () => {
    node.activated(image.bytes, image.rootHash);
    node.run(['adopt']);
    const text = readFileSync(`${node.root}/oem/95_sextant-node.yaml`, 'utf8');
    expect(text.startsWith('#cloud-config\n')).toBe(true);
    expect(parse(text)).toEqual({
      name: 'sextant-node',
      stages: {
        initramfs: [
          {
            name: 'Decide what this boot runs',
            if: `[ -x ${PROGRAM} ]`,
            only_service_manager: 'systemd',
            commands: [`${PROGRAM} boot`],
          },
        ],
      },
    });
  });

  test('takes over what someone enabled by hand, without a second copy of it, and leaves the others alone', () => {
    byHand();
    place(node.root, `${STORE}/theirs.raw`, 'another');
    symlinkSync('../theirs.raw', `${node.root}${STORE}/active/theirs.sysext.raw`);
    symlinkSync(`${node.root}${STORE}/theirs.raw`, `${node.root}/run/extensions/theirs.sysext.raw`);
    place(node.root, '/usr/lib/extension-release.d/extension-release.theirs', 'ID=_any\n');
    const { code, err } = node.run(['adopt']);
    expect(err).toContain('dm-verity does not guard it on this boot');
    expect(code).toBe(0);
    expect(node.host.stat(storeFile(file()))?.inode).toBe(
      node.host.stat(`${STORE}/${NAME}-v1.33.raw`)?.inode,
    );
    expect(node.host.readlink(`${STORE}/active/${NAME}.sysext.raw`)).toBe(storeLink(file()));
    expect(node.host.readlink(`${STORE}/active/theirs.sysext.raw`)).toBe('../theirs.raw');
    expect(node.host.readlink('/run/extensions/theirs.sysext.raw')).toBe(`${STORE}/theirs.raw`);
  });

  test('--auto is quiet where there is nothing to do', () => {
    node.activated(image.bytes, image.rootHash);
    const silent = { code: 0, out: '', err: '' };
    expect(node.run(['adopt', '--auto'])).toEqual(silent);
    expect(existsSync(`${node.root}/opt/sextant`)).toBe(false);
    place(node.root, '/etc/sextant/settings.json', '{"adopt": true}');
    unlinkSync(`${node.root}/run/cos/active_mode`);
    expect(node.run(['adopt', '--auto'])).toEqual(silent);
    place(node.root, '/run/cos/active_mode', '1');
    expect(node.run(['adopt', '--auto']).out).toContain('is the\nfirst generation');
    expect(node.run(['adopt', '--auto'])).toEqual(silent);
  });

  test('cut off at any point leaves nothing half-written, and goes on', () => {
    const cuts = everyCut((changes) => {
      node.remove();
      node = fakeNode();
      byHand();
      place(node.root, '/etc/sextant/settings.json', '{"adopt": true}');
      const { through, wasCut } = cutAfter(node, changes);
      node.run(['adopt', '--auto'], through);
      nothingHalfWritten(node);
      if (!wasCut()) return false;
      const recorded = existsSync(`${node.root}/opt/sextant/records/generations.json`);
      if (recorded) expect(existsSync(`${node.root}${PROGRAM}`)).toBe(true);
      expect(node.run(['adopt', '--auto'], withoutProcesses(node, [])).code).toBe(0);
      expect(node.records().generations.length).toBe(1);
      return true;
    });
    expect(cuts).toBeGreaterThan(20);
  }, 180_000);
});

test('every refusal to adopt or retire is one line and a hint', () => {
  const lines: string[] = [];
  const refused = (name: string, args: readonly string[]) => {
    const { code, err } = node.run(args);
    const said = err.split('\n').filter((line) => /^(error|hint)/.test(line));
    lines.push(`${name}: exit code ${code}\n${said.map((line) => `  ${line}\n`).join('')}`);
    expect(code, name).not.toBe(0);
  };
  refused('nothing is merged', ['adopt']);
  place(node.root, '/usr/lib/extension-release.d/extension-release.theirs', 'ID=_any\n');
  refused('only another one is merged', ['adopt']);
  refused('one that is not merged', ['adopt', '--name', 'k8s']);
  refused('one that does not say what it is', ['adopt', '--name', 'theirs']);
  byHand();
  place(
    node.root,
    '/usr/lib/extension-release.d/extension-release.second',
    'SEXTANT_KUBERNETES_VERSION="v1.33.4"\n',
  );
  refused('two that could be', ['adopt']);
  unlinkSync(`${node.root}/usr/lib/extension-release.d/extension-release.second`);
  unlinkSync(`${node.root}/usr/bin/curl`);
  refused('a program is missing', ['adopt']);
  place(node.root, '/usr/bin/curl', '#!/bin/sh\n', 0o755);
  place(node.root, '/bad-tree', '');
  refused('a damaged image', ['adopt']);
  unlinkSync(`${node.root}/bad-tree`);
  unlinkSync(`${node.root}/run/cos/active_mode`);
  place(node.root, '/run/cos/recovery_mode', '1');
  refused('recovery', ['adopt']);
  unlinkSync(`${node.root}/run/cos/recovery_mode`);
  place(node.root, '/run/cos/active_mode', '1');
  refused('retire without a record', ['retire', '--yes']);
  expect(node.run(['adopt']).code).toBe(0);
  refused('a second time', ['adopt']);
  refused('retire without --yes', ['retire']);
  const whole = readFileSync(`${node.root}${RECORD_FILE}`, 'utf8');
  place(node.root, PREVIOUS_FILE, 'torn');
  place(node.root, RECORD_FILE, whole.replace('"tries":0', '"tries":1'));
  refused('neither copy of the records can be read', ['adopt']);
  node.calls();
  refused('retire then', ['retire', '--yes']);
  expect(node.calls()).toEqual([]); // the watch goes on
  place(node.root, RECORD_FILE, whole.replace('"format":1', '"format":2'));
  refused('records of a newer sextant-node', ['adopt', '--anew']);
  expectGolden(lines.join(''), 'test/node/golden/adopt-refusals.txt');
});

describe('adopt --anew', () => {
  const damaged = () => {
    node.activated(image.bytes, image.rootHash);
    expect(node.run(['adopt']).code).toBe(0);
    place(node.root, RECORD_FILE, 'torn');
    place(node.root, PREVIOUS_FILE, 'torn before');
  };

  test('begins anew where neither copy of the records can be read, and keeps them', () => {
    damaged();
    expect(node.run(['adopt', '--anew']).code).toBe(0);
    expect(node.records().generations).toMatchObject([{ id: 1, state: 'trying', files: [file()] }]);
    expect(readFileSync(`${node.root}${DAMAGED_FILE}`, 'utf8')).toBe('torn');
    expect(readFileSync(`${node.root}${DAMAGED_PREVIOUS_FILE}`, 'utf8')).toBe('torn before');
    expect(node.run(['status']).code).toBe(0);
  });

  test('cut off at any point leaves nothing half-written, and goes on', () => {
    const cuts = everyCut((changes) => {
      node.remove();
      node = fakeNode();
      damaged();
      const { through, wasCut } = cutAfter(node, changes);
      node.run(['adopt', '--anew'], through);
      if (!wasCut()) return false;
      const again = node.run(['adopt', '--anew'], withoutProcesses(node, []));
      if (again.code !== 0) expect(again.err).toContain('this node has records already');
      expect(node.records().generations).toMatchObject([{ id: 1, files: [file()] }]);
      return true;
    });
    expect(cuts).toBeGreaterThan(10);
  }, 180_000);

  test('changes nothing where the records can be read', () => {
    node.activated(image.bytes, image.rootHash);
    expect(node.run(['adopt']).code).toBe(0);
    expect(node.run(['adopt', '--anew']).err).toContain('this node has records already');
  });
});

test('retire takes away the links that enabled what the extension carried, and no others', () => {
  node.activated(image.bytes, image.rootHash);
  expect(node.run(['adopt']).code).toBe(0);
  const link = (path: string, target: string) => {
    mkdirSync(dirname(`${node.root}${path}`), { recursive: true });
    symlinkSync(`${node.root}${target}`, `${node.root}${path}`);
  };
  place(node.root, '/usr/lib/systemd/system/k3s.service', '');
  place(node.root, '/usr/lib/systemd/system/sshd.service', '');
  place(node.root, '/usr/lib/kairos/providers/agent-provider-kairos', '');
  const units = '/etc/systemd/system/multi-user.target.wants';
  link(`${units}/k3s.service`, '/usr/lib/systemd/system/k3s.service');
  link(`${units}/sshd.service`, '/usr/lib/systemd/system/sshd.service');
  link(`${units}/gone.service`, '/usr/lib/systemd/system/gone.service');
  link(
    '/usr/local/system/providers/agent-provider-kairos',
    '/usr/lib/kairos/providers/agent-provider-kairos',
  );
  // What the extension carried is gone with it.
  const systemctl = readFileSync(`${node.root}/usr/bin/systemctl`, 'utf8');
  const gone =
    '"$ROOT/usr/lib/systemd/system/k3s.service" "$ROOT/usr/lib/kairos/providers/agent-provider-kairos"';
  place(node.root, '/usr/bin/systemctl', `${systemctl}[ "$1" != restart ] || rm -f ${gone}\n`, 0o755);
  expect(node.run(['retire', '--yes']).code).toBe(0);
  expect(node.host.list(units)).toEqual(['gone.service', 'sshd.service']);
  expect(node.host.list('/usr/local/system/providers')).toEqual([]);
});

test('retire takes the extension out, forgets, and names the activation that would bring it back', () => {
  node.activated(image.bytes, image.rootHash);
  expect(node.run(['adopt']).code).toBe(0);
  node.calls();
  place(node.root, '/oem/kubernetes.yaml', 'commands: [/bin/sh /run/sextant/activate prepare]');
  const { code, out } = node.run(['retire', '--yes']);
  expect(code).toBe(0);
  expect(out).toContain('/oem/kubernetes.yaml would install it again at the next boot');
  expect(existsSync(`${node.root}/opt/sextant/records/generations.json`)).toBe(false);
  expect(existsSync(`${node.root}/oem/95_sextant-node.yaml`)).toBe(false);
  expect(existsSync(`${node.root}${PROGRAM}`)).toBe(false);
  expect(node.host.list('/run/extensions')).toEqual([]);
  expect(node.host.list(`${STORE}/active`)).toEqual([]);
  expect(existsSync(`${node.root}${storeFile(file())}`)).toBe(true);
  expect(node.calls()[0]).toBe('systemctl stop sextant-watch.service sextant-upgrade.timer');
});
