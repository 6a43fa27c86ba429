import { Buffer } from "node:buffer";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { ControllerError, messageOf } from "../util/errors.ts";
import type { EtcdSettings } from "./options.ts";
import type { Credentials } from "./credentials.ts";

/** Where the settings say that credentials are. */
export type CredentialSettings = Pick<
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
  return {
    ...(ca === undefined && cert === undefined ? {} : { tls: { ca, cert, key } }),
    ...(settings.user === undefined
      ? {}
      : { auth: { username: settings.user, password: await readPassword(settings) } }),
  };
}

async function readPassword({ passwordFile: file, password }: CredentialSettings): Promise<string> {
  if (file !== undefined) return new TextDecoder().decode(await readFile(file)).replace(/\r?\n$/, "");
  if (password === undefined) {
    throw new ControllerError("usage", "--user needs --password-file or ETCD_PASSWORD");
  }
  return password;
}

/** TLS itself would say of such files, if at all, that etcd's certificate or the protocol is wrong. */
function checkCertificate(file: string | undefined, text: Buffer): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw new ControllerError("usage", `Cannot use ${file}: it is no certificate in PEM format`, {
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
    // Its own error is not kept: it might quote the key.
    throw new ControllerError("usage", `Cannot use ${file}: it is no private key in PEM format`);
  }
}

async function readOptional(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined ? undefined : Buffer.from(await readFile(path));
}

async function readFile(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw new ControllerError("usage", `Cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}
