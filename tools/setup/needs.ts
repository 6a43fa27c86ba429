/** A program that demo and tests run, and where it comes from. */
export interface Need {
  program: string;
  /** Debian's package with it. */
  debianPackage: string;
  /** The system service that Debian's package would start, if any. */
  service?: string;
  /** What it is, and from which version on it will do. */
  description: string;
}

/** What demo, `task up` and `task test` cannot do without. */
export const NEEDS: readonly Need[] = [
  { program: "haproxy", debianPackage: "haproxy", service: "haproxy", description: "HAProxy, 2.6 or newer" },
  { program: "etcd", debianPackage: "etcd-server", service: "etcd", description: "etcd, 3.4 or newer" },
  { program: "etcdctl", debianPackage: "etcd-client", description: "etcd's command line client" },
];

/** What some tests need more; where it is missing, they are skipped by name. */
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
