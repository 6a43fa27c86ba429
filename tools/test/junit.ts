/** One test, as Deno's JUnit report has it. */
export interface ReportedTest {
  readonly file: string;
  readonly name: string;
  readonly seconds: number;
  readonly result: "passed" | "failed" | "skipped";
}

const SUITE = /<testsuite name="([^"]*)"[^>]*>(.*?)<\/testsuite>/gs;
/** Tests that a filter left out have no time. */
const CASE = /<testcase name="([^"]*)"[^>]*? time="([\d.]+)"[^>]*>(.*?)<\/testcase>/gs;

/** Reads the tests out of a JUnit report that Deno wrote, without steps and without tests that a filter left out. */
export function readJunit(xml: string): ReportedTest[] {
  return [...xml.matchAll(SUITE)].flatMap(([, file = "", body = ""]) => readSuite(unescape(file), body));
}

function readSuite(file: string, body: string): ReportedTest[] {
  const tests = [...body.matchAll(CASE)].map(([, name = "", time, content = ""]) => ({
    file,
    name: unescape(name),
    seconds: Number(time),
    result: resultOf(content),
  }));
  const names = new Set(tests.map(({ name }) => name));
  return tests.filter(({ name }) => !isStep(name, names));
}

function resultOf(content: string): ReportedTest["result"] {
  if (content.includes("<skipped")) return "skipped";
  return /<(failure|error)\b/.test(content) ? "failed" : "passed";
}

/** A step is reported beside its test, as `test > step`. */
function isStep(name: string, names: ReadonlySet<string>): boolean {
  const parts = name.split(" > ");
  return parts.some((_, at) => at > 0 && names.has(parts.slice(0, at).join(" > ")));
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function unescape(text: string): string {
  return text.replace(/&(?:(lt|gt|quot|apos|amp)|#(\d+)|#x([\da-f]+));/gi, (entity, name, decimal, hex) => {
    if (name !== undefined) return ENTITIES[name] ?? entity;
    return String.fromCodePoint(decimal === undefined ? parseInt(hex, 16) : Number(decimal));
  });
}
