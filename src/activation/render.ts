import { Document, type Node, Scalar, visit, type YAMLMap } from 'yaml';
import { bytesText } from '../support/progress.ts';
import { nodeFiles } from './files.ts';
import { checkActivation } from './input-check.ts';
import { nodeBlocks } from './node-blocks.ts';
import { nodePaths } from './paths.ts';
import { shownAddress } from './quoting.ts';
import type { Activation, ActivationInput, NodeFile } from './types.ts';

const FILE_COMMENTS: Readonly<Record<string, string>> = {
  'zz-sextant.conf':
    ' Kairos gives the merge 5 seconds; on a busy boot it takes longer, and is not repeated.',
  'sextant-activate.service': ' Runs the script below; tries again until the network is there.',
  'sextant-damaged.service':
    ' Says on the console which extension is damaged, when dm-verity meets a wrong byte.',
  '90-sextant.rules': ' Starts it.',
  activate: ' Everything that happens on the node; see `sh /run/sextant/activate status`.',
  'settings.json':
    ' sextant-node takes the node over: the pair of OS and Kubernetes that works is kept, upgrades go on trial.',
  'ca.pem': ' Certificate authorities for the download, besides those of the node.',
};

// YAML 1.1 and 1.2 readers differ on words like 1_000 or 2001-01-01: what a caller gave is always quoted.
function quoteStrings(node: Node): void {
  visit(node, {
    Scalar(key, scalar) {
      if (key !== 'key' && typeof scalar.value === 'string') scalar.type = Scalar.QUOTE_DOUBLE;
    },
  });
}

const baseName = (path: string) => path.slice(path.lastIndexOf('/') + 1);
const folderName = (path: string) => path.slice(0, path.lastIndexOf('/'));

/** A number that is written in octal, as people write modes: 0644. Go's yaml.v3 reads both spellings. */
function octal(mode: number): Scalar<number> {
  const scalar = new Scalar(mode);
  scalar.format = 'OCT';
  return scalar;
}

function fileNode(document: Document, file: NodeFile): Node {
  const content = new Scalar(file.content);
  content.type = Scalar.BLOCK_LITERAL;
  const node = document.createNode({ path: file.path, permissions: octal(file.mode), content }) as Node;
  const comment = file.path.startsWith('/etc/verity.d/')
    ? ' systemd takes only extensions that a key with a certificate here has signed.'
    : FILE_COMMENTS[baseName(file.path)];
  if (comment !== undefined) node.commentBefore = comment;
  return node;
}

function stagesMap(document: Document, activation: Activation): Node {
  const files = nodeFiles(activation);
  const script = `${nodePaths(activation.extensionName).runtime}/activate`;
  const folders = [...new Set(files.map(({ path }) => folderName(path)))].sort();
  const directoriesNode = document.createNode(
    folders.map((path) => ({ path, permissions: octal(0o755) })),
  ) as Node;
  const filesNode = document.createNode(files.map((file) => fileNode(document, file))) as Node;
  const directoriesAlias = document.createAlias(directoriesNode as YAMLMap, 'folders');
  const filesAlias = document.createAlias(filesNode as YAMLMap, 'files');
  const systemd = { only_service_manager: 'systemd' };
  const initramfs = document.createNode([
    {
      name: `Before the merge: time limits and trust for ${activation.extensionName}`,
      ...systemd,
      directories: directoriesNode,
      files: filesNode,
      commands: [`/bin/sh ${script} prepare`],
    },
  ]) as Node;
  initramfs.commentBefore = ' At every boot, before extensions are merged. All of it is gone with the boot.';
  const network = document.createNode([
    {
      name: 'The same files, where this one arrived too late for the stage above',
      if: `[ ! -e ${script} ]`,
      ...systemd,
      directories: directoriesAlias,
      files: filesAlias,
    },
    {
      name: `Install ${activation.extensionName} once, merge it, and let kairos-agent find the provider`,
      ...systemd,
      commands: [`/bin/sh ${script} start`],
    },
    {
      name: 'This extension needs systemd',
      only_service_manager: 'openrc',
      commands: [
        `echo 'sextant: ${activation.extensionName} is a systemd extension; this system has no systemd, nothing was done' >/dev/console`,
      ],
    },
  ]) as Node;
  network.commentBefore = ' kairos-agent, which starts Kubernetes, waits for this stage.';
  return document.createNode({ initramfs, network }) as Node;
}

function trustText(trust: Activation['trust']): string {
  if (trust.mode === 'pin') return 'held to its dm-verity root hash: a changed byte is a read error';
  const whose = trust.certificatePem === undefined ? "of the firmware's db (trusted boot)" : 'below';
  return `merged only with a signature by a certificate ${whose}, read through dm-verity`;
}

function heading(activation: Activation): string {
  const images = Object.entries(activation.images).map(
    ([architecture, image]) =>
      `#   ${architecture}: ${image.fileName}, ${bytesText(image.size)}\n#     from ${shownAddress(image.url)}\n#     SHA-256 ${image.sha256}`,
  );
  return `#cloud-config
#
# Kubernetes ${activation.kubernetesVersion} for a Kairos core node, as the system extension ${activation.extensionName}.
# Put this file into /oem and reboot, or make it part of the user-data of an installation.
#
${images.join('\n')}
# The extension is ${trustText(activation.trust)}.
# Keep this file to its owner (chmod 600) when it holds a token or a password.
`;
}

/** The text of a map with its comment above it; long lines are left alone. */
function section(comment: string, build: (document: Document) => Node): string {
  const document = new Document(null, { version: '1.1' });
  document.contents = build(document) as typeof document.contents;
  return `\n${comment}\n${document.toString({ lineWidth: 0, indentSeq: true, minContentWidth: 0 })}`;
}

/**
 * One `#cloud-config` for Kairos that installs, enables, verifies and merges the extension and says what the node is. The text is a pure
 * function of the input. Stages are those of yip 1.25 (pkg/schema/schema.go). Throws `input` naming every value that is wrong.
 */
export function renderActivation(input: ActivationInput): string {
  const activation = checkActivation(input);
  const blocks = nodeBlocks(activation);
  const said =
    Object.keys(blocks).length === 0
      ? '\n# What this node is; choose one:\n# k3s:\n#   enabled: true\n# p2p:\n#   network_token: "..."\n'
      : section('# What this node is.', (document) => {
          const node = document.createNode(blocks) as Node;
          quoteStrings(node);
          return node;
        });
  const stages = section(
    '# How the extension gets there; docs/activation.md explains each step.',
    (document) => document.createNode({ stages: stagesMap(document, activation) }) as Node,
  );
  return heading(activation) + said + stages;
}
