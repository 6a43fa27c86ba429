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
  let asking: Promise<{ readonly token: string | undefined }> | undefined;

  async function askOnce(via: Via) {
    try {
      return known = { token: await ask(via) };
    } finally {
      asking = undefined;
    }
  }

  return {
    get: async (via) => (known ?? await (asking ??= askOnce(via))).token,
    forget: (token) => {
      // Another call may have brought a newer one by now.
      if (known?.token === token) known = undefined;
    },
  };
}
