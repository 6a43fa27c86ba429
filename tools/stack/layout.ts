import { isPortFree } from "../local/ports.ts";

/** The client ports of the three etcd members. */
export const ETCD_CLIENT_PORTS: readonly number[] = [2379, 2381, 2383];

/** The ports of one load-balancer node. */
export interface NodeLayout {
  name: string;
  trafficPort: number;
  statsPort: number;
  adminPort: number;
}

/** The two load-balancer nodes, on the ports that the compose file publishes. */
export const NODES: readonly NodeLayout[] = [
  { name: "lb1", trafficPort: 8001, statsPort: 8401, adminPort: 8501 },
  { name: "lb2", trafficPort: 8002, statsPort: 8402, adminPort: 8502 },
];

/** One line for each fixed port of the stack that is taken: which one, and what wants it. */
export function takenPorts(): string[] {
  return wantedPorts()
    .filter(({ port }) => !isPortFree(port))
    .map(({ port, purpose }) =>
      `Port ${port} is taken, and ${purpose} needs it (ss -ltnp 'sport = :${port}')`
    );
}

function wantedPorts(): { port: number; purpose: string }[] {
  const etcd = ETCD_CLIENT_PORTS.map((port, index) => ({ port, purpose: `etcd${index + 1}` }));
  const nodes = NODES.flatMap(({ name, trafficPort, statsPort, adminPort }) => [
    { port: trafficPort, purpose: `the traffic of ${name}` },
    { port: statsPort, purpose: `the stats page of ${name}` },
    { port: adminPort, purpose: `the admin server of ${name}` },
  ]);
  return [...etcd, ...nodes];
}
