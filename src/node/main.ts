import { runCommandLine } from './cli/run.ts';
import { quickjsHost } from './host/quickjs.ts';

const host = quickjsHost();
host.exit(runCommandLine(host));
