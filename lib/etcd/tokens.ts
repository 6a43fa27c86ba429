/** The token that etcd gave for a name and a password, asked for when it is needed. */
export interface Tokens<Via> {
  /**
   * @returns the token; undefined where etcd wants none
   * @throws what asking for it throws; the next call asks again
   */
  get(via: Via): Promise<string | undefined>;
  /** etcd has refused this token: it has expired, or etcd was restarted, or authentication was switched on. */
  forget(token: string | undefined): void;
}

/** Calls that need a token at the same time ask once: checking a password costs etcd a tenth of a second. */
export function createTokens<Via>(ask: (via: Via) => Promise<string | undefined>): Tokens<Via> {
  let held: { readonly token: string | undefined } | undefined;
  let asking: Promise<string | undefined> | undefined;

  async function askOnce(via: Via): Promise<string | undefined> {
    try {
      const token = await ask(via);
      held = { token };
      return token;
    } finally {
      asking = undefined;
    }
  }

  return {
    get: (via) => held === undefined ? asking ??= askOnce(via) : Promise.resolve(held.token),
    forget: (token) => {
      // Somebody else may hold a newer one by now.
      if (held?.token === token) held = undefined;
    },
  };
}
