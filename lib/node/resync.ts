/** Asks for a pass that looks at template and HAProxy anew, instead of trusting what the last one knew. */
export interface Resync {
  ask(): void;
  /** Whether one was asked for since the last call. */
  takeAsked(): boolean;
}

/** @param ring starts a pass */
export function createResync(ring: () => void): Resync {
  let asked = false;
  return {
    ask: () => {
      asked = true;
      ring();
    },
    takeAsked: () => {
      const was = asked;
      asked = false;
      return was;
    },
  };
}
