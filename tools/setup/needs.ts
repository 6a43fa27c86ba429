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

/** All programs that demo and tests run. */
export const NEEDS: readonly Need[] = [
  { program: "haproxy", debianPackage: "haproxy", service: "haproxy", description: "HAProxy, 2.6 or newer" },
  { program: "etcd", debianPackage: "etcd-server", service: "etcd", description: "etcd, 3.4 or newer" },
  { program: "etcdctl", debianPackage: "etcd-client", description: "etcd's command line client" },
];
