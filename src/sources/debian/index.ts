// The room's door: packages with their dependencies as a root, single packages as components, programs of a root.
export { debian } from './debian.ts';
export { fetchPackage } from './fetch.ts';
export { packageOf } from './location.ts';
export { newestPackage } from './newest.ts';
export { materializePackages, resolvePackages } from './packages.ts';
export { debianTrust, type Trust } from './suite.ts';
export { toolCommand } from './tools.ts';
