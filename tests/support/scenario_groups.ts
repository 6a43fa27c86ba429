/** Scenarios by the start of their names. Each group is a test file, and those run beside each other. */
const GROUPS = {
  etcd_down: /^etcd_down/,
  etcd_member: /^etcd_(member|leader|no_quorum)/,
  etcd_data: /^etcd_(lost|restored|cut_off)/,
  etcd: /^etcd_/,
  haproxy_process: /^haproxy_(master|worker)_(frozen|killed)|^haproxy_program/,
  haproxy_socket: /^haproxy_.*socket/,
  haproxy: /^haproxy_/,
  controller: /^(controller|second_controller|clock)/,
  config: /^config_/,
  other: /^/,
} as const satisfies Record<string, RegExp>;

export type ScenarioGroup = keyof typeof GROUPS;

/** The group of a scenario: the first that takes its name. */
export function groupOf(name: string): string | undefined {
  return Object.entries(GROUPS).find(([, pattern]) => pattern.test(name))?.[0];
}

/** All groups. */
export const SCENARIO_GROUPS: readonly string[] = Object.keys(GROUPS);
