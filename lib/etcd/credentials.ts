import { Buffer } from "node:buffer";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { ControllerError, messageOf } from "../util/errors.ts";
import type { EtcdSettings } from "./options.ts";

/** What a client shows to etcd, and what it checks etcd's certificate against. */
export interface Credentials {
  /** PEM texts. Without `ca`: the well-known authorities. */
  readonly tls?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer } | undefined;
  readonly auth?: { readonly username: string; readonly password: string } | undefined;
}

/**
 * Reads the credentials as they are now. A client asks again before each watch and after each call that failed, so a
 * running process takes up a password or certificate that was replaced.
 */
export type CredentialSource = () => Promise<Credentials>;

/** The settings that say where the credentials are. */
type CredentialSettings = Pick<
  EtcdSettings,
  "cacert" | "cert" | "key" | "user" | "passwordFile" | "password"
>;

/**
 * Reads certificates and password as they are now.
 *
 * @throws {ControllerError} (usage) naming the file that cannot be read, or is not what it should be
 */
export async function readCredentials(settings: CredentialSettings): Promise<Credentials> {
  const [ca, cert, key] = await Promise.all([settings.cacert, settings.cert, settings.key].map(readOptional));
  if (ca !== undefined) checkCertificate(settings.cacert, ca);
  if (cert !== undefined && key !== undefined) checkPair(settings, cert, key);
  const { user: username } = settings;
  return {
    tls: ca === undefined && cert === undefined ? undefined : { ca, cert, key },
    auth: username === undefined ? undefined : { username, password: await readPassword(settings) },
  };
}

async function readPassword({ passwordFile: file, password = "" }: CredentialSettings): Promise<string> {
  return file === undefined ? password : (await readFile(file)).toString().replace(/\r?\n$/, "");
}

/** TLS itself accepts such files, or blames etcd's certificate or the protocol. */
function checkCertificate(file: string | undefined, text: Buffer): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw new ControllerError("usage", `Cannot use ${file}: it is not a certificate in PEM format`, {
      cause: error,
    });
  }
}

function checkPair({ cert: certFile, key: keyFile }: CredentialSettings, cert: Buffer, key: Buffer): void {
  const certificate = checkCertificate(certFile, cert);
  if (!certificate.checkPrivateKey(parseKey(keyFile, key))) {
    throw new ControllerError("usage", `Cannot use ${keyFile}: it is not the key of ${certFile}`);
  }
}

function parseKey(file: string | undefined, text: Buffer) {
  try {
    return createPrivateKey(text);
  } catch {
    // The error is not kept as the cause: it might quote the key.
    throw new ControllerError("usage", `Cannot use ${file}: it is not a private key in PEM format`);
  }
}

async function readOptional(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined ? undefined : await readFile(path);
}

async function readFile(path: string): Promise<Buffer> {
  try {
    return Buffer.from(await Deno.readFile(path));
  } catch (error) {
    throw new ControllerError("usage", `Cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}
