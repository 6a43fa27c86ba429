import { findProgram, requireProgram } from "../../tools/local/programs.ts";

/** Files in PEM format. */
export interface Certificates {
  readonly ca: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
}

/** Whether `makeCertificates()` can work here. */
export function canMakeCertificates(): boolean {
  return findProgram("openssl") !== undefined;
}

/**
 * Makes an authority, a certificate for a server on 127.0.0.1 or localhost, and one for a client.
 *
 * @throws {Error} when openssl is missing or fails
 */
export async function makeCertificates(dir: string): Promise<Certificates> {
  const ca = `${dir}/ca.pem`;
  await openssl(
    ...[...newKey(`${dir}/ca.key`), "-x509", "-out", ca, "-subj", "/CN=test authority"],
    ...["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
  );
  // etcd's own gateway calls the server with the server's certificate, hence the first one's use as a client.
  const server = await issue(dir, "server", [
    "subjectAltName=DNS:localhost,IP:127.0.0.1",
    "extendedKeyUsage=serverAuth,clientAuth",
  ]);
  const client = await issue(dir, "client", ["extendedKeyUsage=clientAuth"]);
  return { ca, server, client };
}

async function issue(dir: string, name: string, extensions: readonly string[]) {
  const base = `${dir}/${name}`;
  const [cert, key, request, extfile] = [`${base}.pem`, `${base}.key`, `${base}.csr`, `${base}.ext`];
  await Deno.writeTextFile(extfile, extensions.join("\n"));
  await openssl(...newKey(key), "-out", request, "-subj", `/CN=${name}`);
  await openssl(
    ...["x509", "-req", "-in", request, "-out", cert, "-extfile", extfile, "-days", "1"],
    ...["-CA", `${dir}/ca.pem`, "-CAkey", `${dir}/ca.key`, "-CAcreateserial"],
  );
  return { cert, key };
}

function newKey(file: string): string[] {
  return ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", file];
}

async function openssl(...args: string[]): Promise<void> {
  const output = await new Deno.Command(requireProgram("openssl"), { args, stdin: "null" }).output();
  if (output.success) return;
  throw new Error(`Cannot run openssl ${args[0]}: ${new TextDecoder().decode(output.stderr)}`);
}
