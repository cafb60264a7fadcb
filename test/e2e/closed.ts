/** For tests that reach nothing through a proxy of the machine's. */
export const NO_PROXIES = { HTTP_PROXY: '', HTTPS_PROXY: '', http_proxy: '', https_proxy: '' };

/**
 * Wraps a command into a network namespace of its own with nothing but a loopback, as a person without rights has it, too: `before` runs there
 * first, and `command` is how a shell runs the wrapped one.
 */
export const closed = (before: string, command = 'exec "$@"'): string[] => [
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['--map-root-user']),
  '--net',
  'sh',
  '-c',
  `ip link set lo up; ${before}; ${command}`,
  'closed',
];
