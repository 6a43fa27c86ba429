import { basename, dirname } from "node:path";

/**
 * A path that is spelled in two ways, one at a time. A worker takes over the listening sockets of the one before by the
 * spelling of their addresses, also a socket whose file somebody removed, which nobody can reach any more. Another
 * spelling of the same path is another address to it: the socket is made anew, and no request is lost (seen on 2.6).
 */
export interface SocketAlias {
  now(): string;
  turn(): void;
}

/** Goes on with the spelling that stands in a text, if one does. */
export function createSocketAlias(path: string, text: string | undefined): SocketAlias {
  const other = `${dirname(path)}/./${basename(path)}`;
  let spelled = text?.includes(other) ? other : path;
  return {
    now: () => spelled,
    turn: () => spelled = spelled === path ? other : path,
  };
}
