import { Command } from "commander";
import { pickLayout, type StackLayout, USUAL_LAYOUT } from "./layout.ts";

/** Reads the command line of a program that runs the stack; prints help or what is wrong and ends the process then. */
export function readLayout(name: string, description: string): StackLayout {
  const { anyPorts } = new Command(name)
    .description(description)
    .option("--any-ports", "use ports that are free instead of the usual ones", false)
    .allowExcessArguments(false)
    .exitOverride((error) => Deno.exit(error.exitCode === 0 ? 0 : 2))
    .parse(Deno.args, { from: "user" })
    .opts<{ anyPorts: boolean }>();
  return anyPorts ? pickLayout() : USUAL_LAYOUT;
}
