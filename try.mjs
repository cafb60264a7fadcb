import { explore } from './test/node/model/world/explore.ts';
const arg = JSON.parse(process.argv[2] ?? '{}');
const scope = { systems: 2, sets: [0, 2], tries: 2, datastore: 'single', faults: false, full: true, ...arg };
const t = performance.now();
const r = explore(scope, undefined, arg.limit ?? 20000);
console.log({ ...r, violation: r.violation?.invariant }, ((performance.now() - t) / 1000).toFixed(1));
if (r.violation) console.log(r.violation.trace);
