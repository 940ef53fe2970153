export interface RecentOptions<Value> {
  /** How many at least; twice as many at most. */
  kept: number;
  /** For how long at least, in milliseconds; twice as long at most. Default: for ever. */
  forMs?: number;
  /** Hears of what is forgotten because it is too old or one too many. */
  onForgotten?: (value: Value) => void;
  /** Monotonic milliseconds. */
  clock?: () => number;
}

/**
 * Remembers what was last used. Two maps that take turns, and not one from which the oldest entry is taken out: a Map looks
 * for its first entry behind all that have gone, which takes 30 µs where 50,000 are kept.
 */
export class Recent<Value> {
  readonly #kept: number;
  readonly #forMs: number;
  readonly #onForgotten: ((value: Value) => void) | undefined;
  readonly #clock: () => number;
  #newer = new Map<string, Value>();
  #older = new Map<string, Value>();
  #since: number;

  constructor({ kept, forMs = Number.POSITIVE_INFINITY, onForgotten, clock }: RecentOptions<Value>) {
    this.#kept = kept;
    this.#forMs = forMs;
    this.#onForgotten = onForgotten;
    this.#clock = clock ?? (() => performance.now());
    this.#since = this.#clock();
  }

  /** It counts as used. */
  get(key: string): Value | undefined {
    this.#age();
    const newer = this.#newer.get(key);
    if (newer !== undefined) return newer;
    const older = this.#older.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  /** Without using it: it is forgotten in its time. */
  has(key: string): boolean {
    this.#age();
    return this.#newer.has(key) || this.#older.has(key);
  }

  set(key: string, value: Value): void {
    this.#age();
    if (this.#newer.size >= this.#kept && !this.#newer.has(key)) this.#turn();
    this.#older.delete(key);
    this.#newer.set(key, value);
  }

  delete(key: string): void {
    this.#newer.delete(key);
    this.#older.delete(key);
  }

  #age(): void {
    if (this.#forMs === Number.POSITIVE_INFINITY) return;
    const age = this.#clock() - this.#since;
    if (age < this.#forMs) return;
    this.#turn();
    // Nothing was asked for so long that what was newer is too old as well.
    if (age >= 2 * this.#forMs) this.#turn();
  }

  #turn(): void {
    if (this.#onForgotten !== undefined) for (const value of this.#older.values()) this.#onForgotten(value);
    this.#older = this.#newer;
    this.#newer = new Map();
    this.#since = this.#clock();
  }
}
