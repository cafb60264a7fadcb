// The room's door: packages with their dependencies as a root, single packages as components, programs of a root.
export { debian } from './debian.ts';
export { fetchPackage } from './fetch.ts';
export { materializePackages, resolvePackages } from './packages.ts';
export { toolCommand } from './tools.ts';
