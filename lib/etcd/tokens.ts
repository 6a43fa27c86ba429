/** The token that etcd gives for a name and a password. It is asked for when it is needed. */
export interface Tokens<Via> {
  /**
   * @returns the token; undefined where etcd needs none
   * @throws what asking for it throws; the next call asks again
   */
  get(via: Via): Promise<string | undefined>;
  /** etcd has refused this token: it has expired, or etcd was restarted, or authentication was switched on. */
  forget(token: string | undefined): void;
}

/** Calls that need a token at the same time ask once, because checking a password takes etcd a tenth of a second. */
export function createTokens<Via>(ask: (via: Via) => Promise<string | undefined>): Tokens<Via> {
  let known: { readonly token: string | undefined } | undefined;
  let asking: Promise<string | undefined> | undefined;

  async function askOnce(via: Via): Promise<string | undefined> {
    try {
      const token = await ask(via);
      known = { token };
      return token;
    } finally {
      asking = undefined;
    }
  }

  return {
    get: (via) => known === undefined ? asking ??= askOnce(via) : Promise.resolve(known.token),
    forget: (token) => {
      // Another call may have brought a newer one by now.
      if (known?.token === token) known = undefined;
    },
  };
}
