// The health check of the image: exit code 0 if the service on this host answers.
const port = Deno.env.get("SERVICE_PORT") || "8080";

async function isHealthy(): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(4_000) });
    return response.ok;
  } catch {
    return false;
  }
}

if (import.meta.main) Deno.exit(await isHealthy() ? 0 : 1);
