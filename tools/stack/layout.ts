import { isPortFree, pickPort, pickPorts } from "../local/ports.ts";

/** The ports of one load-balancer node. */
export interface NodeLayout {
  name: string;
  trafficPort: number;
  statsPort: number;
  adminPort: number;
}

/** The ports of a stack. */
export interface StackLayout {
  /** The client ports of the three etcd members. */
  etcdClientPorts: readonly number[];
  nodes: readonly NodeLayout[];
}

/** The ports that the compose file publishes. */
export const USUAL_LAYOUT: StackLayout = {
  etcdClientPorts: [2379, 2381, 2383],
  nodes: [
    { name: "lb1", trafficPort: 8001, statsPort: 8401, adminPort: 8501 },
    { name: "lb2", trafficPort: 8002, statsPort: 8402, adminPort: 8502 },
  ],
};

/** The same on ports that are free now. */
export function pickLayout(): StackLayout {
  const nodes = USUAL_LAYOUT.nodes.map(({ name }) => ({
    name,
    trafficPort: pickPort(),
    statsPort: pickPort(),
    adminPort: pickPort(),
  }));
  return { etcdClientPorts: pickPorts(USUAL_LAYOUT.etcdClientPorts.length), nodes };
}

/** One line for each port of the layout that is taken: which one, and what wants it. */
export function takenPorts(layout: StackLayout): string[] {
  return wantedPorts(layout)
    .filter(({ port }) => !isPortFree(port))
    .map(({ port, purpose }) =>
      `Port ${port} is taken, and ${purpose} needs it (ss -ltnp 'sport = :${port}')`
    );
}

function wantedPorts({ etcdClientPorts, nodes }: StackLayout): { port: number; purpose: string }[] {
  const etcd = etcdClientPorts.map((port, index) => ({ port, purpose: `etcd${index + 1}` }));
  const ofNodes = nodes.flatMap(({ name, trafficPort, statsPort, adminPort }) => [
    { port: trafficPort, purpose: `the traffic of ${name}` },
    { port: statsPort, purpose: `the stats page of ${name}` },
    { port: adminPort, purpose: `the admin server of ${name}` },
  ]);
  return [...etcd, ...ofNodes];
}
