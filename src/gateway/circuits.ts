/** Says which addresses are worth asking, from how they answered before. */
export interface Circuits {
  /** False while it rests after failing again and again; true for one caller when the rest is over. */
  allows(address: string): boolean;
  record(address: string, succeeded: boolean): void;
}

interface Circuit {
  failures: number;
  /** Rests until then; undefined while it answers. */
  restsUntil: number | undefined;
}

/** So many failures in a row, and nothing is sent for so long. */
const FAILURES = 5;
const REST_MS = 5_000;

/**
 * A circuit breaker for each address: opens after five failures in a row, rests for five seconds, then lets one request a
 * rest try until one succeeds. An address that hangs would otherwise cost every request its whole time-out.
 *
 * @param clock milliseconds
 */
export function createCircuits(clock: () => number = () => performance.now()): Circuits {
  const circuits = new Map<string, Circuit>();
  return {
    allows(address) {
      const circuit = circuits.get(address);
      if (circuit?.restsUntil === undefined) return true;
      if (clock() < circuit.restsUntil) return false;
      circuit.restsUntil = clock() + REST_MS;
      return true;
    },
    record(address, succeeded) {
      // Almost always: nothing to remember, nothing to forget.
      if (succeeded) {
        if (circuits.size > 0) circuits.delete(address);
        return;
      }
      const circuit = circuits.get(address) ?? { failures: 0, restsUntil: undefined };
      circuit.failures += 1;
      if (circuit.failures >= FAILURES) circuit.restsUntil = clock() + REST_MS;
      circuits.set(address, circuit);
    },
  };
}
