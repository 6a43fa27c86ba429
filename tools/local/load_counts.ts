/** A request that got no good answer. */
export interface Failure {
  target: string;
  /** `refused`, `reset`, `closed` (no byte of an answer), `short`, `timeout`, `status 503`, or an error's name. */
  kind: string;
  /** When the request was started and when it failed, in milliseconds of `performance.now()`. */
  startedAt: number;
  endedAt: number;
}

/** A request that was answered well. */
export interface Answer {
  target: string;
  /** The backend that answered. */
  backend: string;
  startedAt: number;
  endedAt: number;
}

/** The answers of one backend: how many, and the times (`performance.now()`) of the first and the last. */
export interface Sighting {
  answers: number;
  firstAt: number;
  lastAt: number;
}

const MOST_FAILURES = 1_000;

/** Counts requests: all of them, answers by backend, failures by kind. */
export class LoadCounts {
  requests = 0;
  failed = 0;
  slowestMs = 0;
  /** When the last good answer of any backend came. */
  lastAnswerAt: number | undefined;
  readonly sightings = new Map<string, Sighting>();
  readonly kinds = new Map<string, number>();
  /** The first 1,000 failures, in order; `failed` counts all. */
  readonly failures: Failure[] = [];

  addAnswer(answer: Answer): void {
    this.#addRequest(answer);
    this.lastAnswerAt = answer.endedAt;
    const seen = this.sightings.get(answer.backend);
    if (seen === undefined) {
      this.sightings.set(answer.backend, { answers: 1, firstAt: answer.endedAt, lastAt: answer.endedAt });
      return;
    }
    seen.answers++;
    seen.lastAt = answer.endedAt;
  }

  addFailure(failure: Failure): void {
    this.#addRequest(failure);
    this.failed++;
    this.kinds.set(failure.kind, (this.kinds.get(failure.kind) ?? 0) + 1);
    if (this.failures.length < MOST_FAILURES) this.failures.push(failure);
  }

  #addRequest({ startedAt, endedAt }: { startedAt: number; endedAt: number }): void {
    this.requests++;
    this.slowestMs = Math.max(this.slowestMs, endedAt - startedAt);
  }
}

/** What the clients saw from one `mark()` to the next. A request counts where it ended. */
export class Chapter {
  readonly startedAt = performance.now();
  readonly all = new LoadCounts();
  /** The same counts for each target. */
  readonly targets: ReadonlyMap<string, LoadCounts>;
  /** The same counts for each slice of time, oldest first; the oldest are dropped when there are many. */
  readonly slices: Slice[] = [];
  readonly #sliceMs: number;

  constructor(readonly name: string, targets: readonly string[], sliceMs: number) {
    this.targets = new Map(targets.map((target) => [target, new LoadCounts()]));
    this.#sliceMs = sliceMs;
  }

  /** The counts of one target. */
  target(name: string): LoadCounts {
    const counts = this.targets.get(name);
    if (counts === undefined) throw new Error(`Cannot count for target "${name}": there is none`);
    return counts;
  }

  addAnswer(answer: Answer): void {
    for (const counts of this.#countsFor(answer)) counts.addAnswer(answer);
  }

  addFailure(failure: Failure): void {
    for (const counts of this.#countsFor(failure)) counts.addFailure(failure);
  }

  #countsFor({ target, endedAt }: { target: string; endedAt: number }): LoadCounts[] {
    return [this.all, this.target(target), this.#slice(endedAt).counts];
  }

  #slice(at: number): Slice {
    const startedAt = this.startedAt + Math.floor((at - this.startedAt) / this.#sliceMs) * this.#sliceMs;
    const newest = this.slices.at(-1);
    if (newest !== undefined && newest.startedAt >= startedAt) return newest;
    const slice = { startedAt, counts: new LoadCounts() };
    this.slices.push(slice);
    if (this.slices.length > MOST_SLICES) this.slices.shift();
    return slice;
  }
}

/** The counts of one slice of time that starts at `startedAt` (`performance.now()`). */
export interface Slice {
  startedAt: number;
  counts: LoadCounts;
}

const MOST_SLICES = 6_000;
