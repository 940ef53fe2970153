import type pg from 'pg';

/** One piece of feedback that counts towards the most that may be given. */
export interface CountedFeedback {
  id: string;
  model: string;
  /** Hash of the subject, or what stands for one that is not known, see `giverOf`. */
  giver: string;
  /** When it was given, `2026-11-21`, UTC. */
  day: string;
  /** The most of one giver on one day. */
  limit: number;
}

/** A day of a giver, and how many pieces of feedback of this batch belong to it. */
interface Day {
  key: string;
  model: string;
  giver: string;
  day: string;
  feedback: CountedFeedback[];
}

const ADD = `INSERT INTO feedback_days AS stored (day, model, giver, given)
  SELECT * FROM unnest($1::date[], $2::text[], $3::text[], $4::integer[])
  ON CONFLICT (day, model, giver) DO UPDATE SET given = stored.given + excluded.given
  RETURNING day::text, model, giver, given`;

const TAKE_BACK = `UPDATE feedback_days AS stored SET given = stored.given - back.given
  FROM unnest($1::date[], $2::text[], $3::text[], $4::integer[]) AS back (day, model, giver, given)
 WHERE stored.day = back.day AND stored.model = back.model AND stored.giver = back.giver`;

/**
 * Counts feedback that is about to be inserted by the same transaction, and answers the ids of what is over the limit,
 * which is not counted: of each giver the first of the list are within it. Two transactions of one giver wait for each
 * other, so that together they do not pass it either.
 */
export async function countFeedback(
  client: Pick<pg.ClientBase, 'query'>,
  feedback: readonly CountedFeedback[],
): Promise<ReadonlySet<string>> {
  if (feedback.length === 0) return new Set();
  const days = daysOf(feedback);
  const { rows } = await client.query<{ day: string; model: string; giver: string; given: number }>({
    name: 'understudy-count-feedback',
    text: ADD,
    values: columns(days),
  });
  const totals = new Map(rows.map((row) => [keyOf(row), row.given]));
  const over = days.flatMap(({ key, feedback: group }) => {
    const before = totals.get(key)! - group.length;
    return group.slice(Math.max(0, group[0]!.limit - before));
  });
  await uncountFeedback(client, over);
  return new Set(over.map(({ id }) => id));
}

/** Takes back the count of what was not inserted after all. */
export async function uncountFeedback(
  client: Pick<pg.ClientBase, 'query'>,
  feedback: readonly CountedFeedback[],
): Promise<void> {
  if (feedback.length > 0) await client.query(TAKE_BACK, columns(daysOf(feedback)));
}

/** In order of key, so that two writers wait for each other instead of deadlocking. */
function daysOf(feedback: readonly CountedFeedback[]): Day[] {
  const days = new Map<string, Day>();
  for (const item of feedback) {
    const { model, giver, day } = item;
    const key = keyOf(item);
    const known = days.get(key);
    if (known === undefined) days.set(key, { key, model, giver, day, feedback: [item] });
    else known.feedback.push(item);
  }
  return [...days.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function columns(days: readonly Day[]): unknown[] {
  return [
    days.map(({ day }) => day),
    days.map(({ model }) => model),
    days.map(({ giver }) => giver),
    days.map(({ feedback }) => feedback.length),
  ];
}

/**
 * Who gave feedback about an interaction. While the interaction is not there, and for one without a subject, the
 * interaction itself stands for its subject, and keeps the count when the subject becomes known.
 */
export function giverOf(
  found: { id: string; subject: string | null } | undefined,
  name: { interactionId: string | null; externalId: string | null },
): string {
  if (found !== undefined) return found.subject ?? `interaction ${found.id}`;
  return `interaction ${name.interactionId ?? name.externalId}`;
}

function keyOf({ day, model, giver }: Pick<Day, 'day' | 'model' | 'giver'>): string {
  return `${day} ${model} ${giver}`;
}
