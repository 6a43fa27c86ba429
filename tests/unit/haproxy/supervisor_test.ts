import { assertEquals } from "@std/assert";
// @ts-types="../../../types/fake_timers.d.ts"
import { type FakeClock, install } from "@sinonjs/fake-timers";
import type { Master } from "../../../lib/haproxy/master.ts";
import { createSupervisor, type SupervisorPorts } from "../../../lib/haproxy/supervisor.ts";
import type { HaproxyState } from "../../../lib/reconcile/ports.ts";

/** A master that ends by the signals that it heeds, and remembers all. */
function fakeMaster(pid: number, heeds: readonly Deno.Signal[]) {
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  const signals: Deno.Signal[] = [];
  const master: Master = {
    pid,
    adopted: false,
    ended,
    signal: (signal) => {
      signals.push(signal);
      if (heeds.includes(signal)) end(`it ended with signal ${signal}`);
    },
  };
  return { master, signals, end };
}

function withClock(name: string, run: (clock: FakeClock) => Promise<void>): void {
  Deno.test(name, async () => {
    const clock = install({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      await run(clock);
    } finally {
      clock.uninstall();
    }
  });
}

function supervise(ports: Partial<SupervisorPorts>) {
  const states: HaproxyState[] = [];
  const supervise = createSupervisor({
    adopt: () => Promise.resolve(undefined),
    start: () => Promise.reject(new Error("Cannot start haproxy: not found")),
    untilReady: () => Promise.resolve(),
    onState: (state) => states.push(state),
    ...ports,
  });
  const stop = new AbortController();
  const done = supervise(stop.signal, { timeoutMs: 0, hurry: new AbortController().signal });
  return { states, stop: () => stop.abort(), done };
}

withClock(
  "createSupervisor() tries again every 3 s at the most while HAProxy cannot be started",
  async (clock) => {
    let starts = 0;
    const { states, stop, done } = supervise({
      start: () => {
        starts++;
        return Promise.reject(new Error("Cannot start haproxy: not found"));
      },
    });
    await clock.tickAsync(60_000);
    const before = starts;
    await clock.tickAsync(3_100);
    assertEquals(starts > before, true);
    assertEquals(states.every((state) => state.kind === "down" && state.retryInMs <= 3_000), true);
    stop();
    await done;
  },
);

withClock(
  "createSupervisor() ends a master that is never ready and heeds no SIGTERM, and starts another",
  async (clock) => {
    const frozen = fakeMaster(1, ["SIGKILL"]);
    const good = fakeMaster(2, ["SIGTERM"]);
    const masters = [frozen.master, good.master];
    const { states, stop, done } = supervise({
      start: () => Promise.resolve(masters.shift() ?? good.master),
      untilReady: (master) =>
        master === good.master ? Promise.resolve() : Promise.reject(new Error("no answer")),
    });
    await clock.tickAsync(10_000);
    assertEquals(frozen.signals, ["SIGTERM", "SIGKILL"]);
    assertEquals(states.map(({ kind }) => kind), ["down", "up"]);
    stop();
    await clock.tickAsync(100);
    await done;
    assertEquals(states.at(-1)?.kind, "stopped");
  },
);

withClock(
  "createSupervisor() says why it waits with an adoption, and gives it up when it is stopped",
  async (clock) => {
    const { states, stop, done } = supervise({
      adopt: ({ signal, onWaiting }) => {
        onWaiting("no answer");
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
      },
    });
    await clock.tickAsync(60_000);
    assertEquals(states, [{ kind: "starting", reason: "no answer" }]);
    stop();
    await done;
    assertEquals(states.at(-1)?.kind, "stopped");
  },
);

withClock(
  "createSupervisor() ends a master that comes up while it is stopped",
  async (clock) => {
    const late = fakeMaster(1, ["SIGKILL"]);
    const { promise: started, resolve: start } = Promise.withResolvers<Master>();
    const { states, stop, done } = supervise({ start: () => started });
    await clock.tickAsync(100);
    stop();
    start(late.master);
    await clock.tickAsync(10_000);
    await done;
    assertEquals(late.signals, ["SIGTERM", "SIGKILL"]);
    assertEquals(states.at(-1)?.kind, "stopped");
  },
);

withClock(
  "createSupervisor() lets requests finish at an HAProxy that it has just adopted",
  async (clock) => {
    const serving = fakeMaster(1, ["SIGTERM"]);
    const { promise: found, resolve: find } = Promise.withResolvers<Master>();
    const { stop, done } = supervise({ adopt: () => found });
    stop();
    find({ ...serving.master, adopted: true });
    await clock.tickAsync(100);
    await done;
    assertEquals(serving.signals, ["SIGUSR1", "SIGTERM"]);
  },
);

withClock(
  "createSupervisor() lets running requests finish for as long as it may, and ends what is left",
  async (clock) => {
    const slow = fakeMaster(1, ["SIGTERM"]);
    const { stop, done } = supervise({ start: () => Promise.resolve(slow.master) });
    await clock.tickAsync(100);
    stop();
    await clock.tickAsync(100);
    await done;
    assertEquals(slow.signals, ["SIGUSR1", "SIGTERM"]);
  },
);
