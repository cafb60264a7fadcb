/** Network between the guests of one lab: 10.77.0.0/24 on a second device. */
const PREFIX = '10.77.0.';

/** Address of a node in that network; the first node is 1. */
export function labAddress(index: number): string {
  return `${PREFIX}${index}`;
}

function hardwareAddress(index: number): string {
  return `52:54:00:77:00:${index.toString(16).padStart(2, '0')}`;
}

/**
 * QEMU's arguments for the second device of node `index` of `count`. QEMU joins two machines over a socket, so the first node's QEMU
 * is the hub that the others connect to. `ports` are free ports of loopback, one for each node after the first.
 */
export function labNetwork(index: number, ports: readonly number[]): string[] {
  const device = ['-device', `virtio-net-pci,netdev=lab,mac=${hardwareAddress(index)}`];
  if (index > 1) return ['-netdev', `socket,id=lab,connect=127.0.0.1:${ports[index - 2]}`, ...device];
  const hub = ports.flatMap((port, at) => [
    '-netdev',
    `socket,id=wire${at},listen=127.0.0.1:${port}`,
    '-netdev',
    `hubport,id=port${at},hubid=0,netdev=wire${at}`,
  ]);
  return ['-netdev', 'hubport,id=lab,hubid=0', ...device, ...hub];
}

/** Cloud-config for node `index`: its name, and its address in the lab's network before anything starts that needs one. */
export function labNetworkConfig(index: number, hostname: string): string {
  return `#cloud-config
# Sextant lab, test equipment: this guest's name, and its place in the network between the lab's guests.
hostname: ${hostname}
stages:
  initramfs:
  - name: Sextant lab network
    hostname: ${hostname}
    files:
    - path: /run/systemd/network/05-sextant-lab.network
      permissions: 0644
      content: |
        [Match]
        MACAddress=${hardwareAddress(index)}
        [Network]
        Address=${labAddress(index)}/24
        LinkLocalAddressing=no
        [Link]
        RequiredForOnline=no
`;
}
