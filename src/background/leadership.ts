import pg from 'pg';

/** Any fixed numbers: the loops of one kind on all servers of one database compete for a lock. */
const LOCKS = { watch: 7_316_040_722, mirrors: 7_316_040_724 };

/** At most one holder per database. */
export interface Leadership {
  /** Whether this process leads now: takes the lock when it is free, and finds out when it was lost. */
  check(): Promise<boolean>;
  /** Gives the lock up. */
  resign(): Promise<void>;
}

/**
 * Leadership by a session's advisory lock on a connection of its own: Postgres gives the lock up exactly when the
 * connection ends, however that happens. Two leaders for a moment do no harm, because they act by compare-and-swap.
 */
export function competeForLeadership(databaseUrl: string, loop: keyof typeof LOCKS = 'watch'): Leadership {
  let client: pg.Client | undefined;
  let leading = false;

  function drop(lost: pg.Client): void {
    if (client === lost) {
      client = undefined;
      leading = false;
    }
    lost.end().catch(() => undefined);
  }

  async function connect(): Promise<pg.Client> {
    const fresh = new pg.Client({
      connectionString: databaseUrl,
      application_name: `understudy-${loop}`,
      connectionTimeoutMillis: 5_000,
      query_timeout: 5_000,
      keepAlive: true,
    });
    fresh.on('error', () => drop(fresh));
    fresh.on('end', () => drop(fresh));
    await fresh.connect();
    client = fresh;
    return fresh;
  }

  return {
    async check() {
      const current = client ?? (await connect());
      try {
        // Asked also while leading: a connection that died silently is noticed here.
        const { rows } = leading
          ? await current.query<{ led: boolean }>('SELECT true AS led')
          : await current.query<{ led: boolean }>('SELECT pg_try_advisory_lock($1) AS led', [LOCKS[loop]]);
        leading = client === current && rows[0]!.led;
        return leading;
      } catch (error) {
        drop(current);
        throw error;
      }
    },
    async resign() {
      const held = client;
      client = undefined;
      leading = false;
      await held?.end().catch(() => undefined);
    },
  };
}
