/** What a command did. */
export interface CommandResult {
  success: boolean;
  /** Standard output and standard error, in this order. */
  output: string;
}

/** Runs a command without input and keeps its output. A command that does not exist counts as failed. */
export async function runCommand(argv: readonly string[]): Promise<CommandResult> {
  const [command = "", ...args] = argv;
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
    const decoder = new TextDecoder();
    return { success, output: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch (error) {
    return { success: false, output: error instanceof Error ? error.message : String(error) };
  }
}
