/** A program for demo and tests, and where it comes from. */
export interface Need {
  program: string;
  /** Debian's package with it. */
  debianPackage: string;
  /** The system service that Debian's package would start, if any. */
  service?: string;
  /** What it is, and the oldest version that is enough. */
  description: string;
}

/** What demo, `task up` and `task test` need. */
export const NEEDS: readonly Need[] = [
  { program: "haproxy", debianPackage: "haproxy", service: "haproxy", description: "HAProxy, 2.6 or newer" },
  { program: "etcd", debianPackage: "etcd-server", service: "etcd", description: "etcd, 3.4 or newer" },
  { program: "etcdctl", debianPackage: "etcd-client", description: "etcd's command line client" },
];

/** What only some tests need; without it, they are skipped by name. */
export const MORE_NEEDS: readonly Need[] = [
  { program: "openssl", debianPackage: "openssl", description: "makes the certificates of TLS tests" },
  { program: "ip", debianPackage: "iproute2", description: "makes the network namespaces of tests" },
  { program: "systemd-analyze", debianPackage: "systemd", description: "checks the systemd units" },
  { program: "chromium", debianPackage: "chromium", description: "a browser, for tests of pages" },
  {
    program: "pg_ctlcluster",
    debianPackage: "postgresql",
    service: "postgresql",
    description: "PostgreSQL, for tests of TCP services",
  },
  {
    program: "redis-server",
    debianPackage: "redis-server",
    service: "redis-server",
    description: "Redis, for tests of TCP services",
  },
  {
    program: "mariadbd",
    debianPackage: "mariadb-server",
    service: "mariadb",
    description: "MariaDB, for tests of TCP services",
  },
];
