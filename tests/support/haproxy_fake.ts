import { addLine, commandLine, deleteLine, drainLine, errorsIn } from "../../lib/haproxy/wire/commands.ts";
import { parseServersState } from "../../lib/haproxy/wire/reply.ts";
import type { Observed, ObservedServers, Processes } from "../../lib/plan/observed.ts";
import type {
  ChangeResult,
  CheckResult,
  HaproxyPort,
  ReloadResult,
  StagedFile,
} from "../../lib/reconcile/ports.ts";
import { type Step, stepKey } from "../../lib/plan/step.ts";
import { HaproxyModel } from "./haproxy_model.ts";

/** Faults to simulate. */
export interface Problem {
  /** HAProxy does not run, for this reason. */
  down?: string;
  /** Whether an HAProxy runs is not known yet. */
  starting?: true;
  /** What `haproxy -c` says of a text. */
  check?: (text: string) => CheckResult;
  reload?: ReloadResult;
  /** An address that another process uses. */
  boundByOthers?: string;
  /** Lines that HAProxy does not carry out. */
  deaf?: (line: string) => boolean;
}

/** A HAProxy with its files, in memory. Everything that happened to it is kept as text, in order. */
export class HaproxyFake implements HaproxyPort {
  readonly model = new HaproxyModel();
  readonly effects: string[] = [];
  file: string | undefined;
  stateFile: string | undefined;
  lastGood: string | undefined;
  trouble: Problem = {};
  oldWorkers = 0;
  #workerPid = 100;
  #staged = new Map<string, string>();
  #stagedCount = 0;

  /** Starts it with this file. */
  boot(text: string): void {
    this.file = text;
    this.model.load(text);
  }

  /** What happened since the last call. */
  takeEffects(): string[] {
    return this.effects.splice(0);
  }

  processes(): Promise<Processes> {
    const { oldWorkers } = this;
    if (this.trouble.down !== undefined || this.trouble.starting) {
      return Promise.resolve({ workerPid: undefined, base: undefined, oldWorkers: 0 });
    }
    return Promise.resolve({ workerPid: this.#workerPid, base: this.model.base, oldWorkers });
  }

  observe(): Promise<Observed> {
    const { down, starting } = this.trouble;
    if (starting) return Promise.resolve({ kind: "starting" });
    if (down !== undefined) return Promise.resolve({ kind: "down", reason: down });
    const servers = this.#servers();
    return Promise.resolve({ kind: "up", base: this.model.base, servers });
  }

  observeBackends(backends: readonly string[]): Promise<ObservedServers> {
    return Promise.resolve(new Map([...this.#servers()].filter(([name]) => backends.includes(name))));
  }

  readConfig(): Promise<string | undefined> {
    return Promise.resolve(this.file);
  }

  stageConfig(text: string): Promise<StagedFile> {
    const path = `staged-${++this.#stagedCount}`;
    this.#staged.set(path, text);
    return Promise.resolve({
      path,
      commit: () => {
        this.file = text;
        this.#staged.delete(path);
        return this.#note("write file");
      },
      discard: () => {
        this.#staged.delete(path);
        return this.#note("discard staged file");
      },
    });
  }

  /** Staged files that were neither committed nor discarded. */
  get leftStaged(): number {
    return this.#staged.size;
  }

  async check(path: string): Promise<CheckResult> {
    await this.#note("check");
    return this.trouble.check?.(this.#staged.get(path) ?? "") ?? { kind: "valid" };
  }

  /** The order of `haproxy/change.ts`: new requests are kept away first, deleted is what holds none. */
  change(steps: readonly Step[], held: ReadonlySet<string>): Promise<ChangeResult> {
    const lines = steps.map((step) => {
      if (step.kind !== "remove" && step.kind !== "replace") {
        return commandLine(step, held.has(stepKey(step)));
      }
      return step.isMaint ? "" : drainLine(stepKey(step));
    }).filter((line) => line !== "");
    const errors = lines.flatMap((line) => this.#run(line));
    for (const step of steps) {
      if (step.kind !== "remove" && step.kind !== "replace") continue;
      if ((this.model.server(stepKey(step))?.connections ?? 0) > 0) continue;
      this.#run(deleteLine(stepKey(step)));
      if (step.kind === "replace") {
        errors.push(...this.#run(addLine(stepKey(step), step.line, held.has(stepKey(step)))));
      }
    }
    return Promise.resolve({ errors });
  }

  tryBind(address: string): Promise<string | undefined> {
    this.effects.push(`try to bind ${address}`);
    return Promise.resolve(
      this.trouble.boundByOthers === address ? "the address is in use by another process" : undefined,
    );
  }

  writeServerState(text: string | undefined): Promise<void> {
    this.stateFile = text;
    return this.#note(text === undefined ? "remove state file" : "write state file");
  }

  async reload(): Promise<ReloadResult> {
    await this.#note("reload");
    const result = this.trouble.reload ?? { kind: "loaded" };
    if (result.kind === "loaded") {
      this.model.load(this.file ?? "", this.stateFile);
      this.#workerPid++;
    }
    return result;
  }

  readLastGood(): Promise<string | undefined> {
    return Promise.resolve(this.lastGood);
  }

  keepLastGood(text: string): Promise<void> {
    this.lastGood = text;
    return this.#note("keep last good");
  }

  #run(line: string): string[] {
    this.effects.push(line.replace(/(add server \S+ \S+).*? id \d+/, "$1"));
    if (this.trouble.deaf?.(line) === true) return [];
    return errorsIn(this.model.run(line));
  }

  #servers(): ObservedServers {
    return parseServersState(this.model.run("show servers state")) ?? new Map();
  }

  #note(effect: string): Promise<void> {
    this.effects.push(effect);
    return Promise.resolve();
  }
}
