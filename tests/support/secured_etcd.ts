import { type EtcdCluster, pickPort, startEtcdCluster } from "./mod.ts";
import { createEtcdClient } from "../../lib/etcd/client.ts";
import type { Certificates } from "./certificates.ts";

/** A member that speaks TLS to clients; its plain endpoint serves nothing but its health. */
export function startTlsEtcd(
  port: number,
  { ca, server }: Omit<Certificates, "client">,
): Promise<EtcdCluster> {
  const health = pickPort();
  const client = `https://127.0.0.1:${port}`;
  return startEtcdCluster({
    members: 1,
    clientPorts: [health],
    args: [
      ...["--listen-metrics-urls", `http://127.0.0.1:${health}`],
      // Of a flag that comes twice the last one counts.
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--cert-file", server.cert, "--key-file", server.key],
      ...["--client-cert-auth", "--trusted-ca-file", ca],
    ],
  });
}

/** etcd's administrator, once `protectEtcd()` has run. */
export const ROOT = ["--user", "root:admin"];

/** Makes the administrator, and users who may read and write everything, and switches authentication on. */
export async function protectEtcd(etcd: EtcdCluster, users: Readonly<Record<string, string>>): Promise<void> {
  await etcd.etcdctl("user", "add", "root:admin");
  await etcd.etcdctl("user", "grant-role", "root", "root");
  await etcd.etcdctl("role", "add", "everything");
  await etcd.etcdctl("role", "grant-permission", "--prefix=true", "everything", "readwrite", "");
  for (const [name, password] of Object.entries(users)) {
    await etcd.etcdctl("user", "add", `${name}:${password}`);
    await etcd.etcdctl("user", "grant-role", name, "everything");
  }
  await etcd.etcdctl("auth", "enable");
}

/** Changes the password of a user in etcd. */
export async function changePassword(etcd: EtcdCluster, user: string, password: string): Promise<void> {
  const auth = { username: "root", password: "admin" };
  const client = createEtcdClient({
    endpoints: etcd.endpoints,
    credentials: () => Promise.resolve({ auth }),
  });
  try {
    await client.kv.user(user).setPassword(password);
  } finally {
    client.close();
  }
}
