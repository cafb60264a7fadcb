import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { type MachineRequest, machineArguments, startMachine } from '../../src/lab/machine/machine.ts';
import { labAddress, labNetwork, labNetworkConfig } from '../../src/lab/network.ts';

const request: MachineRequest = {
  folder: '/lab/node1',
  sockets: '/s',
  architecture: 'amd64',
  accelerator: { name: 'tcg', why: 'a test' },
  emulator: { program: 'qemu', args: [], environment: {} },
  memory: 4096,
  processors: 2,
  disks: [{ file: '/d.qcow2', format: 'qcow2' }],
};
const text = (more: Partial<MachineRequest> = {}) => machineArguments({ ...request, ...more }).join(' ');

test('a disk is booted through its own boot loader, unless a kernel is given', () => {
  expect(text()).not.toContain('-kernel');
  expect(text()).toContain('virtio-blk-pci,drive=disk0,bootindex=1');
  const kernel = { image: '/k', initrd: '/i', commandLine: 'quiet' };
  expect(text({ kernel })).toContain('-kernel /k -initrd /i -append quiet');
});

test('an arm64 machine is the board that QEMU has for guests started by their kernel', () => {
  const kernel = { image: '/k', initrd: '/i', commandLine: 'console=ttyAMA0' };
  expect(text({ architecture: 'arm64', kernel })).toContain('-cpu cortex-a72 -machine virt -smp');
  expect(text({ architecture: 'arm64', kernel })).not.toMatch(/-vga|-bios|ide-cd/);
});

test('every socket is in the folder for sockets, the console is written to a log', () => {
  for (const name of ['console', 'channel', 'qmp']) expect(text()).toContain(`path=/s/${name}.socket`);
  expect(text()).toContain('logfile=/lab/node1/console.log');
});

test('a machine without a cable starts stopped, so that it is never seen with one', () => {
  expect(text({ unplugged: true }).split(' ')).toContain('-S');
  expect(text().split(' ')).not.toContain('-S');
});

test('KVM takes the processor as it is', () => {
  expect(text({ accelerator: { name: 'kvm', why: '' } })).toContain('-accel kvm -cpu host');
});

test('amd64 machines have a hardware watchdog that resets them', () => {
  expect(text()).toContain('-device i6300esb -action watchdog=reset');
  const kernel = { image: '/k', initrd: '/i', commandLine: 'console=ttyAMA0' };
  expect(text({ architecture: 'arm64', kernel })).not.toContain('i6300esb');
});

test('a machine with firmware is a board on which only the firmware writes its variables', () => {
  const firmware = { code: '/ovmf/code.fd', variables: '/lab/variables.fd' };
  expect(text({ firmware })).toContain('-machine q35,smm=on -global driver=cfi.pflash01,property=secure');
  expect(text({ firmware })).toContain('unit=0,format=raw,readonly=on,file=/ovmf/code.fd');
  expect(text({ firmware })).toContain('unit=1,format=raw,file=/lab/variables.fd');
  expect(text()).not.toMatch(/pflash|q35/);
});

test('a machine has the TPM whose socket is given, and none without', () => {
  expect(text({ tpm: '/s/tpm.socket' })).toContain(
    'socket,id=tpm,path=/s/tpm.socket -tpmdev emulator,id=tpm0,chardev=tpm -device tpm-tis,tpmdev=tpm0',
  );
  expect(text()).not.toContain('tpm');
});

test('a disk can be booted before those that stand before it', () => {
  const second = { file: '/m', format: 'raw', readOnly: true, first: true } as const;
  expect(text({ disks: [...request.disks, second] })).toContain('drive=disk1,bootindex=0');
  expect(text({ disks: [...request.disks, second] })).toContain('drive=disk0,bootindex=1');
});

test('read-only disks are read-only', () => {
  expect(text({ disks: [...request.disks, { file: '/m', format: 'raw', readOnly: true }] })).toMatch(
    /file=\/m,format=raw,if=none,id=disk1,[^ ]*readonly=on/,
  );
});

test('the first node is the hub that the others connect to', () => {
  const hub = labNetwork(1, [7001, 7002]).join(' ');
  expect(hub).toContain('listen=127.0.0.1:7001');
  expect(hub).toContain('listen=127.0.0.1:7002');
  expect(labNetwork(3, [7001, 7002]).join(' ')).toContain('connect=127.0.0.1:7002');
});

test('a node’s network file and its device have the same hardware address', () => {
  const mac = /mac=([0-9a-f:]+)/.exec(labNetwork(12, Array(11).fill(1)).join(' '))?.[1] ?? 'none';
  expect(labNetworkConfig(12, 'node12')).toContain(`MACAddress=${mac}`);
  expect(labNetworkConfig(12, 'node12')).toContain(`Address=${labAddress(12)}/24`);
});

test('a machine ends with the process that started it, however that ends', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sextant-test-'));
  try {
    const before = new Set(process.listeners('exit'));
    const emulator = { program: '/bin/sh', args: ['-c', 'exec sleep 300'], environment: {} };
    const { signal } = new AbortController();
    const starting = startMachine({ ...request, folder, sockets: folder, emulator }, signal);
    const atExit = async () => {
      const added = process.listeners('exit').filter((listener) => !before.has(listener));
      expect(added).toHaveLength(1);
      return added[0];
    };
    const end = await vi.waitFor(atExit);
    await Promise.all([expect(starting).rejects.toThrow('/bin/sh ended at once'), end?.(0)]);
    // Nothing is left to be done for one that has ended.
    expect(process.listeners('exit').filter((listener) => !before.has(listener))).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
