import { basename, dirname } from "node:path";

/**
 * A path with two spellings, one at a time. At a reload a worker takes over the listening sockets of the worker before it,
 * even a socket whose file was removed and that cannot be reached any more. It compares addresses by their spelling: for
 * another spelling of the same path it creates a new socket, and no request is lost (seen on 2.6).
 */
export interface SocketAlias {
  now(): string;
  turn(): void;
}

/** Begins with the spelling that a text contains, if it contains one. */
export function createSocketAlias(path: string, text: string | undefined): SocketAlias {
  const other = `${dirname(path)}/./${basename(path)}`;
  let spelled = text?.includes(other) ? other : path;
  return {
    now: () => spelled,
    turn: () => spelled = spelled === path ? other : path,
  };
}
