/**
 * A small seeded generator of random numbers (xoshiro128**), so that one `--seed` gives the same questions, the same
 * split and the same customers on every machine. It is not for secrets.
 */
export interface Random {
  /** A number in [0, 1) with 32 bits of resolution. */
  next(): number;
  /** An integer in [0, below); `below` is at least 1. */
  int(below: number): number;
  /** True with the given probability, 0…1. */
  chance(probability: number): boolean;
  /** One element of a list that is not empty. */
  pick<T>(list: readonly T[]): T;
  /** A shuffled copy; the argument stays as it is. */
  shuffle<T>(list: readonly T[]): T[];
}

/**
 * The generator for a seed and a purpose. Different parts give independent streams, so that drawing more in one place
 * (or in another order, as concurrent customers do) changes nothing elsewhere.
 */
export function createRandom(seed: number, ...parts: (string | number)[]): Random {
  return new Xoshiro(hash([seed, ...parts].join('\u0000')));
}

class Xoshiro implements Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    const step = splitmix(seed);
    this.#a = step();
    this.#b = step();
    this.#c = step();
    this.#d = step() | 1; // the state must not be all zeros
  }

  next(): number {
    const result = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = rotate(this.#d, 11);
    return result / 0x1_0000_0000;
  }

  int(below: number): number {
    return Math.floor(this.next() * below);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('nothing to pick from');
    return list[this.int(list.length)] as T;
  }

  shuffle<T>(list: readonly T[]): T[] {
    const copy = [...list];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
    }
    return copy;
  }
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** FNV-1a over the UTF-16 units, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  return value >>> 0;
}

function splitmix(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) | 0;
  };
}
