/**
 * A clock that never goes back: where the one that it reads does, it stands still for a moment and goes on from there. A
 * time to wait until would otherwise be out of reach for as long as that one went back.
 */
export function forwardClock(read: () => number): () => number {
  let last = -Infinity;
  let behindMs = 0;
  return () => {
    const now = read();
    if (now + behindMs < last) behindMs = last - now;
    last = now + behindMs;
    return last;
  };
}
