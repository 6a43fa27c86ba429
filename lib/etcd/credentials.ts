import type { Buffer } from "node:buffer";

/** What a client shows to etcd, and what it checks etcd's certificate against. */
export interface Credentials {
  /** PEM texts. Without `ca`: the well-known authorities. */
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  readonly auth?: { readonly username: string; readonly password: string };
}

/**
 * Reads the credentials as they are now. A client asks again before each watch and after each call that failed, so that
 * a password or certificate that was replaced is taken up by a process that goes on.
 */
export type CredentialSource = () => Promise<Credentials>;

/** Whether connections made with one could have been made with the other. */
export function sameCredentials(a: Credentials, b: Credentials): boolean {
  return a.auth?.username === b.auth?.username && a.auth?.password === b.auth?.password &&
    sameText(a.tls?.ca, b.tls?.ca) && sameText(a.tls?.cert, b.tls?.cert) && sameText(a.tls?.key, b.tls?.key);
}

function sameText(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}
