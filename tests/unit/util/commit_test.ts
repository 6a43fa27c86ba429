import { assertEquals } from "@std/assert";
import { COMMIT_FILE, findCommit, shortHash } from "../../../lib/util/commit.ts";

const HASH = "0123456789abcdef0123456789abcdef01234567";
const OTHER = "fedcba9876543210fedcba9876543210fedcba98";

const projects: Record<string, [files: Record<string, string>, commit: string | undefined]> = {
  "a branch": [
    { "/p/.git/HEAD": "ref: refs/heads/fix#1\n", "/p/.git/refs/heads/fix#1": `${HASH}\n` },
    "0123456",
  ],
  "a commit that is on no branch": [{ "/p/.git/HEAD": `${HASH}\n` }, "0123456"],
  "a branch whose ref is packed": [
    {
      "/p/.git/HEAD": "ref: refs/heads/main\n",
      "/p/.git/packed-refs":
        `# pack-refs with: peeled\n${OTHER} refs/remotes/origin/refs/heads/main2\n${HASH} refs/heads/main\n`,
    },
    "0123456",
  ],
  "a ref that is newer than the packed one": [
    {
      "/p/.git/HEAD": "ref: refs/heads/main\n",
      "/p/.git/refs/heads/main": `${HASH}\n`,
      "/p/.git/packed-refs": `${OTHER} refs/heads/main\n`,
    },
    "0123456",
  ],
  "a worktree": [
    {
      "/p/.git": "gitdir: /main/.git/worktrees/p\n",
      "/main/.git/worktrees/p/HEAD": "ref: refs/heads/words\n",
      "/main/.git/worktrees/p/commondir": "../..\n",
      "/main/.git/refs/heads/words": `${HASH}\n`,
      "/main/.git/HEAD": `${OTHER}\n`,
    },
    "0123456",
  ],
  "a worktree with relative paths": [
    {
      "/p/.git": "gitdir: ../main/.git/worktrees/p\n",
      "/main/.git/worktrees/p/HEAD": "ref: refs/heads/words\n",
      "/main/.git/worktrees/p/commondir": "../..\n",
      "/main/.git/packed-refs": `${HASH} refs/heads/words\n`,
    },
    "0123456",
  ],
  "no checkout, but the file that compiling wrote": [{ [`/p/${COMMIT_FILE}`]: "0123456\n" }, "0123456"],
  "a checkout and a file of an older commit": [
    { "/p/.git/HEAD": `${HASH}\n`, [`/p/${COMMIT_FILE}`]: "fedcba9\n" },
    "0123456",
  ],
  "a checkout without a commit": [{ "/p/.git/HEAD": "ref: refs/heads/main\n" }, undefined],
  "refs in another format": [{ "/p/.git/HEAD": "ref: refs/heads/.invalid\n" }, undefined],
  "a file that says unknown": [{ [`/p/${COMMIT_FILE}`]: "unknown\n" }, undefined],
  "no file at all": [{}, undefined],
};

for (const [what, [files, commit]] of Object.entries(projects)) {
  Deno.test(`findCommit() reads the commit of ${what}`, async () => {
    assertEquals(await findCommit("/p/", (path) => Promise.resolve(files[path])), commit);
  });
}

Deno.test("shortHash() takes hashes of both kinds, short ones too, and nothing else", () => {
  assertEquals(
    [`${HASH}\n`, "0".repeat(64), "0123456", "012345", "v1.2.3", "", undefined].map(shortHash),
    ["0123456", "0000000", "0123456", undefined, undefined, undefined, undefined],
  );
});
