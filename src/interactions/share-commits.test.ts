import { describe, expect, it } from 'vitest';
import { type SharedCommitLimits, shareCommits } from './share-commits.js';

/** A writer whose transactions end when the test says so. */
function setUp(limits: Partial<SharedCommitLimits> = {}) {
  const transactions: { items: readonly string[]; commit(): void; fail(error: Error): void }[] = [];
  const add = shareCommits<string>(
    (items) => new Promise((commit, fail) => transactions.push({ items, commit, fail })),
    { writers: 1, ...limits },
  );
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { transactions, add, settle };
}

describe('shareCommits', () => {
  it('begins at once, and lets what comes meanwhile share the next transaction', async () => {
    const { transactions, add, settle } = setUp();
    const done: string[] = [];
    const jobs = ['a', 'b', 'c'].map((name) => add([name, `${name}2`]).then(() => done.push(name)));
    expect(transactions.map(({ items }) => items)).toEqual([['a', 'a2']]);
    transactions[0]?.commit();
    await settle();
    expect(done).toEqual(['a']);
    expect(transactions[1]?.items).toEqual(['b', 'b2', 'c', 'c2']);
    transactions[1]?.commit();
    await Promise.all(jobs);
    expect(transactions).toHaveLength(2);
  });

  it('has as many transactions under way as there are writers', async () => {
    const { transactions, add, settle } = setUp({ writers: 2 });
    const jobs = ['a', 'b', 'c', 'd'].map((name) => add([name]));
    expect(transactions.map(({ items }) => items)).toEqual([['a'], ['b']]);
    transactions[1]?.commit();
    await settle();
    expect(transactions[2]?.items).toEqual(['c', 'd']);
    for (const { commit } of transactions) commit();
    await Promise.all(jobs);
  });

  it('fails every job of a transaction that failed, and goes on with the others', async () => {
    const { transactions, add, settle } = setUp();
    const jobs = [add(['a']), add(['b']), add(['c'])];
    const results = Promise.allSettled(jobs);
    transactions[0]?.commit();
    await settle();
    const late = add(['d']);
    transactions[1]?.fail(new Error('away'));
    await settle();
    expect(transactions[2]?.items).toEqual(['d']);
    transactions[2]?.commit();
    await late;
    expect((await results).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  });

  it('keeps transactions small, but never splits a job', async () => {
    const { transactions, add, settle } = setUp({ items: 3 });
    const jobs = [add(['a']), add(['b', 'b']), add(['c', 'c']), add(['d', 'd', 'd', 'd'])];
    for (const expected of ['a', 'bb', 'cc', 'dddd']) {
      expect(transactions.at(-1)?.items.join('')).toBe(expected);
      transactions.at(-1)?.commit();
      await settle();
    }
    await Promise.all(jobs);
  });

  it('refuses what would make too much wait, and takes more once there is room', async () => {
    const { transactions, add, settle } = setUp({ waiting: 3 });
    const jobs = [add(['a']), add(['b', 'b']), add(['c'])];
    await expect(add(['d'])).rejects.toMatchObject({ code: 'database_unreachable' });
    transactions[0]?.commit();
    await settle();
    jobs.push(add(['e']));
    transactions[1]?.commit();
    await settle();
    expect(transactions[2]?.items).toEqual(['e']);
    transactions[2]?.commit();
    await Promise.all(jobs);
  });

  it('refuses what has waited too long while no transaction ends, and never writes it', async () => {
    const { transactions, add, settle } = setUp({ waitMs: 20 });
    const first = add(['a']);
    await expect(add(['b'])).rejects.toMatchObject({ code: 'database_unreachable' });
    transactions[0]?.commit();
    await first;
    await settle();
    expect(transactions).toHaveLength(1);
  });
});
