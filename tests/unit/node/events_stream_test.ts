import { assert, assertEquals } from "@std/assert";
// @ts-types="../../../types/fake_timers.d.ts"
import { type FakeClock, install } from "@sinonjs/fake-timers";
import { EVENTS_AT_ONCE, openEventStream } from "../../../lib/node/events_stream.ts";
import { createJournal, type Journal } from "../../../lib/node/journal.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;

interface Bench {
  readonly journal: Journal;
  readonly clock: FakeClock;
  /** Opens a stream, and tells how often it has ended. */
  open(after?: string): {
    readonly reader: Reader;
    readonly end: () => void;
    readonly ended: () => number;
  };
}

function withJournal(name: string, run: (bench: Bench) => Promise<void>): void {
  Deno.test(name, async () => {
    const clock = install({ toFake: ["setTimeout", "clearTimeout"] });
    const journal = createJournal({ startId: "s1", wall: () => 0 });
    let listeners = 0;
    const subscribe: Journal["subscribe"] = (listener) => {
      const leave = journal.subscribe(listener);
      listeners++;
      return () => {
        listeners--;
        leave();
      };
    };
    const open: Bench["open"] = (after) => {
      let ended = 0;
      const first = journal.read(after, EVENTS_AT_ONCE);
      assert(first);
      const { body, end } = openEventStream({
        ...{ journal: { ...journal, subscribe }, first },
        onEnd: () => ended++,
      });
      return { reader: body.getReader(), end, ended: () => ended };
    };
    try {
      await run({ journal, clock, open });
      journal.stop();
      assertEquals([clock.countTimers(), listeners], [0, 0]);
    } finally {
      clock.uninstall();
    }
  });
}

async function readText(reader: Reader): Promise<string> {
  return new TextDecoder().decode((await reader.read()).value);
}

function textOf(number: number, kind: string): string {
  const json = `{"id":"s1-${number}","at":"1970-01-01T00:00:00.000Z","kind":"${kind}"}`;
  return `id: s1-${number}\nevent: ${kind}\ndata: ${json}\n\n`;
}

withJournal(
  "openEventStream() tells what came after a number, then what comes",
  async ({ journal, open }) => {
    journal.put(["one", "two", "three"].map((kind) => ({ kind })));
    const { reader, end } = open("s1-1");
    assertEquals(await readText(reader), textOf(2, "two") + textOf(3, "three"));
    const next = readText(reader);
    journal.put([{ kind: "four" }]);
    assertEquals(await next, textOf(4, "four"));
    end();
  },
);

withJournal("openEventStream() tells a client that the process was restarted", async ({ journal, open }) => {
  journal.put([{ kind: "one" }]);
  const { reader, end } = open("s0-9");
  assertEquals(await readText(reader), `event: restarted\ndata: {"start":"s1"}\n\n${textOf(1, "one")}`);
  end();
});

withJournal("openEventStream() sends a comment when there is nothing for 15 s", async ({ clock, open }) => {
  const { reader, end } = open();
  for (let i = 0; i < 2; i++) {
    let text = "";
    const read = readText(reader).then((value) => text = value);
    await clock.tickAsync(14_999);
    assertEquals(text, "");
    await clock.tickAsync(1);
    assertEquals(text, ":\n\n");
    await read;
  }
  end();
});

withJournal(
  "openEventStream() tells a slow client how many events it has lost",
  async ({ journal, open }) => {
    const { reader, end } = open();
    journal.put([{ kind: "first" }]);
    assertEquals(await readText(reader), textOf(1, "first"));
    journal.put(Array.from({ length: 2_000 }, (_, i) => ({ kind: `kind-${i}` })));
    const text = await readText(reader);
    assertEquals(text.split("\n\n")[0], `event: lost\ndata: {"lost":976}`);
    assertEquals([...text.matchAll(/^id: /gm)].length, 64);
    end();
  },
);

withJournal(
  "openEventStream() ends a client that takes nothing for a minute",
  async ({ journal, clock, open }) => {
    const { reader, ended } = open();
    journal.put([{ kind: "one" }]);
    await readText(reader);
    await clock.tickAsync(59_999);
    assertEquals(ended(), 0);
    await clock.tickAsync(1);
    assertEquals([ended(), (await reader.read()).done], [1, true]);
  },
);

withJournal("openEventStream() ends once, also while the client waits", async ({ clock, open }) => {
  const { reader, end, ended } = open();
  const read = reader.read();
  await clock.tickAsync(0);
  assertEquals(clock.countTimers(), 1);
  end();
  end();
  assertEquals([(await read).done, ended()], [true, 1]);
});

withJournal("openEventStream() lets go of a client that is gone", async ({ journal, clock, open }) => {
  const { reader, end, ended } = open();
  const read = reader.read();
  await clock.tickAsync(0);
  await reader.cancel();
  assertEquals([(await read).done, ended()], [true, 1]);
  journal.put([{ kind: "one" }]);
  end();
  assertEquals(ended(), 1);
});

withJournal(
  "openEventStream() tells a client that is behind what there is when it is ended, once",
  async ({ journal, open }) => {
    const { reader, end } = open();
    journal.put([{ kind: "one" }]);
    assertEquals(await readText(reader), textOf(1, "one"));
    journal.put([{ kind: "stopping" }]);
    end();
    journal.put([{ kind: "later" }]);
    assertEquals(await readText(reader), textOf(2, "stopping") + textOf(3, "later"));
    journal.put([{ kind: "never-told" }]);
    assertEquals((await reader.read()).done, true);
  },
);
