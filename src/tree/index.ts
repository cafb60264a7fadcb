export { activateScript, NODE_PATHS } from './activate-script.ts';
export { buildTree } from './build.ts';
export { containerImagesFolder } from './factory.ts';
export { MANIFEST_PATH, type Manifest, releaseFilePath, treeDigest } from './manifest.ts';
export { HIERARCHIES } from './rules.ts';
export { ACTIVATE_PATH } from './self-activation.ts';
export type { ComponentFiles, Disposition, Tree, TreeEntry, TreeRequest } from './types.ts';
